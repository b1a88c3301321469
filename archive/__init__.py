"""The archive format: pieces, sealing, manifest, verification."""
