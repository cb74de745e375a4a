"""Other programs' records of trainings: a run's figures written where TensorBoard, MLflow and Weights & Biases read them."""
