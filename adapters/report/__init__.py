"""`claude-pool report`: one self-contained page of what happened."""
