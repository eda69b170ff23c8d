"""The one owner of a robot's home: who may write, and how others ask it to."""
