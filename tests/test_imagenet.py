import subprocess
import sys

from hubcls.imagenet import class_names


def test_the_thousand_names_stand_in_imagenets_order():
    names = class_names()

    assert len(set(names)) == len(names) == 1000
    assert names[0] == "tench"
    assert names[281:286] == ("tabby", "tiger cat", "Persian cat", "Siamese cat", "Egyptian cat")
    assert names[388] == "giant panda"
    assert names[967] == "espresso"
    assert names[999] == "toilet tissue"


def test_names_that_wordnet_uses_twice_are_told_apart():
    names = class_names()

    assert names[134] == "crane (bird)"
    assert names[517] == "crane (machine)"
    assert names[638] == "maillot (tights)"
    assert names[639] == "maillot (tank suit)"


def test_the_names_need_no_tensorflow():
    code = (
        "import sys; from hubcls.imagenet import class_names; class_names(); "
        "sys.exit('tensorflow' in sys.modules)"
    )

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
