"""Other programs' records of trainings: a run's figures written where TensorBoard, MLflow, Weights & Biases and Trackio read them."""
