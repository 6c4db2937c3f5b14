"""What every test of the repository may use; the fixtures themselves live in tests/harness."""

pytest_plugins = [
    "tests.harness.fixtures",
    "tests.harness.workers",
    "sequences.walking",
    "tests.sequences.keeping",
    "pytester",
]
