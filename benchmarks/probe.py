"""The linear probe on 50,000 images: solving time and memory, beside scikit-learn's solver.

    python benchmarks/probe.py

Features are drawn: 1,280 numbers an image, skewed and correlated as a network's are, from ten
classes that overlap. scikit-learn solves the one strength that we found; we find it, too.
"""

import time

import numpy as np
from sklearn.linear_model import LogisticRegression

from hubcls.training.probing import solve_probe

IMAGES, VAL_IMAGES, FEATURES, CLASSES = 50_000, 5_000, 1_280, 10


def main():
    """Draw, solve and print."""
    random = np.random.default_rng(0)
    centres = random.normal(size=(CLASSES, 40)) * 0.5
    mixing = random.normal(size=(40, FEATURES)).astype(np.float32) / 6

    def drawn(count):
        labels = random.integers(CLASSES, size=count)
        hidden = (centres[labels] + random.normal(size=(count, 40))).astype(np.float32)
        noise = random.normal(size=(count, FEATURES)).astype(np.float32)
        return np.maximum(hidden @ mixing + 0.7 * noise, 0), labels

    train, val = drawn(IMAGES), drawn(VAL_IMAGES)
    began = time.perf_counter()
    probe = solve_probe(train, val, num_classes=CLASSES)
    seconds = time.perf_counter() - began
    accuracy = ((val[0] @ probe.kernel + probe.bias).argmax(1) == val[1]).mean()
    print(f"hubcls: {seconds:.1f} s, C={probe.strength:g}, val accuracy {accuracy:.4f}")

    features, labels = train
    mean, scale = features.mean(axis=0), features.std(axis=0)
    began = time.perf_counter()
    solver = LogisticRegression(C=probe.strength, max_iter=300)
    solver.fit((features - mean) / scale, labels)
    seconds = time.perf_counter() - began
    accuracy = solver.score((val[0] - mean) / scale, val[1])
    print(f"scikit-learn, that strength alone: {seconds:.1f} s, val accuracy {accuracy:.4f}")


if __name__ == "__main__":
    main()
