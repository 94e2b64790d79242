#!/bin/sh
# Name what is on images, with the classifier that run_classifier.sh made.
#
#   sh examples/image_classification/run_predict.sh
#   sh examples/image_classification/run_predict.sh photo.jpg folder_of_photos
#   sh examples/image_classification/run_predict.sh --help
#
# Makes and fills a virtual environment in .venv first, unless one is active.
set -eu

folder=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
repository=$(CDPATH='' cd -- "$folder/../.." && pwd)
. "$repository/examples/environment.sh"
enter_environment "$repository"
exec python -u "$folder/predict.py" "$@"
