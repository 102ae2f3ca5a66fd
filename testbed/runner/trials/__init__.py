"""One trial after the other, or side by side: from rest to rest."""
