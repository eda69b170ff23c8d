"""The command ``quipu``: one file a verb, and ``ui`` for everything that is printed."""
