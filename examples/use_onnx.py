"""Name the five likeliest classes of images by a model that Weakspot exported: python use_onnx.py MODEL.onnx IMAGE …"""

import json
import sys

import numpy as np
import onnxruntime
from PIL import Image, ImageOps

session = onnxruntime.InferenceSession(sys.argv[1], providers=["CPUExecutionProvider"])
about = session.get_modelmeta().custom_metadata_map
size, resize, classes = (json.loads(about[name]) for name in ("image_size", "resize_size", "classes"))

for path in sys.argv[2:]:
    image = ImageOps.exif_transpose(Image.open(path)).convert("RGB")
    short = min(image.size)
    way = Image.Resampling[about["interpolation"].upper()]
    image = image.resize([resize * side // short for side in image.size], way)
    left, top = (round((side - size) / 2) for side in image.size)
    pixels = np.asarray(image.crop((left, top, left + size, top + size)))
    probabilities = session.run(["probabilities"], {"pixels": pixels[None]})[0][0]
    print(path)
    for index in probabilities.argsort()[::-1][:5]:
        print(f"{probabilities[index]:8.2%}  {classes[index]}")
