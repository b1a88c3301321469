"""`python -m teleconsult`."""

from teleconsult.cli import main

if __name__ == "__main__":
    main()
