"""A small network in Keras: trained in ten passes over 1024 rows, then tested on 256 new ones.

The backend is the one that KERAS_BACKEND names: tensorflow, torch or jax; the file is the same.
"""

import keras
import numpy as np
from keras import layers

random = np.random.default_rng(0)
x = random.normal(size=(1280, 8)).astype(np.float32)
y = x[:, :3].argmax(axis=1)  # the class: which of the first three numbers is the largest

keras.utils.set_random_seed(0)
model = keras.Sequential([keras.Input((8,)), layers.Dense(32, activation="relu"), layers.Dense(3)])
model.compile(
    optimizer=keras.optimizers.SGD(0.5),
    loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    metrics=["accuracy"],
)
model.fit(x[:1024], y[:1024], batch_size=64, epochs=10, shuffle=False, verbose=0)
_loss, accuracy = model.evaluate(x[1024:], y[1024:], verbose=0)
print(f"accuracy {accuracy:.3f}")
