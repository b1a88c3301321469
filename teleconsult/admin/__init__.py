"""`teleconsult admin`: what the hospital's IT does on the server."""
