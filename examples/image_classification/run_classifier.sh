#!/bin/sh
# Fine-tune a pretrained module on a data set and measure it.
#
#   sh examples/image_classification/run_classifier.sh
#   sh examples/image_classification/run_classifier.sh --module resnet50 --dataset flowers --num_epoch 1 --checkpoint_dir ckpt_flowers
#   sh examples/image_classification/run_classifier.sh --help
#
# Makes and fills a virtual environment in .venv first, unless one is active.
set -eu

folder=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
repository=$(CDPATH='' cd -- "$folder/../.." && pwd)
. "$repository/examples/environment.sh"
enter_environment "$repository"
exec python -u "$folder/img_classifier.py" "$@"
