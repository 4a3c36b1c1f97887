"""REINFORCE on a small grid: a loss that is no loss of the library, through `Model.backward`.

A walker starts anywhere on a 5 x 5 grid and gets 1 for the step that reaches the far corner and
-0.02 for every other. The policy is a network from the walker's cell, one-hot, to the logits of
four moves. For the return G after a move a in state s, the policy gradient (Williams, 1992) is

    d/dlogits of -(G - b) log softmax(logits)[a]  =  (G - b) (softmax(logits) - onehot(a)),

b a baseline, here the mean return at that step of the walk. `backward` needs that array alone.
"""

import numpy as np

import ironmlp as im

SIDE, STEPS, WALKS, UPDATES = 5, 16, 64, 150
DISCOUNT = 0.95
MOVES = np.array([[1, 0], [-1, 0], [0, 1], [0, -1]])
GOAL = np.array([SIDE - 1, SIDE - 1])


def softmax(logits):
    """Probabilities along the last axis, (..., 4)."""
    shifted = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return shifted / shifted.sum(axis=-1, keepdims=True)


def walk(policy, rng):
    """Walks together: states (STEPS, WALKS, 25), moves, rewards and who was still walking."""
    cells = rng.integers(SIDE, size=(WALKS, 2))
    walking = (cells != GOAL).any(axis=1)
    states, moves, rewards, active = [], [], [], []
    for _ in range(STEPS):
        state = np.eye(SIDE * SIDE, dtype=np.float32)[cells[:, 0] * SIDE + cells[:, 1]]
        chances = softmax(policy.forward(state).astype(np.float64))
        move = (rng.random((WALKS, 1)) > chances.cumsum(axis=1)[:, :-1]).sum(axis=1)
        cells = np.where(walking[:, None], np.clip(cells + MOVES[move], 0, SIDE - 1), cells)
        arrived = walking & (cells == GOAL).all(axis=1)
        states.append(state)
        moves.append(move)
        rewards.append(np.where(arrived, 1.0, -0.02) * walking)
        active.append(walking)
        walking = walking & ~arrived
    return np.array(states), np.array(moves), np.array(rewards), np.array(active)


def improve(policy, rng):
    """One update of the policy; returns the mean total reward of the walks before it."""
    states, moves, rewards, active = walk(policy, rng)

    returns = np.zeros_like(rewards)
    ahead = np.zeros(WALKS)
    for step in reversed(range(STEPS)):
        ahead = rewards[step] + DISCOUNT * ahead
        returns[step] = ahead
    walkers = active.sum(axis=1, keepdims=True)
    baseline = (returns * active).sum(axis=1, keepdims=True) / np.maximum(walkers, 1)

    states, moves = states[active], moves[active]
    advantage = (returns - baseline)[active]
    grad_output = softmax(policy.forward(states)) - np.eye(4, dtype=np.float32)[moves]
    grad_output *= (advantage / len(states))[:, None]

    policy.apply_gradients(policy.backward(states, grad_output))
    return rewards.sum(axis=0).mean()


policy = im.MLP(
    [SIDE * SIDE, 32, 4],
    activation="tanh",
    loss="cross_entropy",
    optimizer=im.Adam(lr=0.02),
    seed=0,
)
rng = np.random.default_rng(0)
totals = np.array([improve(policy, rng) for _ in range(UPDATES)])

for first in range(0, UPDATES, 25):
    mean = totals[first : first + 25].mean()
    print(f"updates {first:3d} to {first + 24:3d}  mean reward {mean:.3f}")

assert totals[:5].mean() < 0.5
assert totals[-25:].mean() > 0.75
