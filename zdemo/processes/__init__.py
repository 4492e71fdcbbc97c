"""Run other programs so that none of them outlives zdemo; ``group`` ends them, ``foreground`` waits for one of them."""
