"""What `ironmlp.datasets` is made of: `cracks.py` draws surfaces, `split.py` shares rows out."""
