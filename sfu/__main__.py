"""`python -m sfu`: one worker by itself."""

from core.compiled import use_compiled


def main() -> None:
    """Command line of one worker without the rest of the service."""
    use_compiled()
    from sfu.main import main as run_worker

    run_worker()


if __name__ == "__main__":
    main()
