"""What happens in a `fit`.

`data.py` reads what is trained on, `course.py` how. `fitting.py` has the loop and how it ends,
`advance.py` the slices that it goes by, `logs.py` the numbers of each epoch. `past.py` is what a
file tells of a training, `resume.py` how one goes on with it. `progress.py` chooses one of the
`displays.py`. `plot.py` draws a history, `table.py` shows it in a notebook.
"""
