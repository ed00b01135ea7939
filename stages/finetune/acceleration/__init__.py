"""Ways to make training cheaper that do not change what is learnt."""
