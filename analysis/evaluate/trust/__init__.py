"""What stands beside a score: canaries, comparisons, curves, what is told apart."""
