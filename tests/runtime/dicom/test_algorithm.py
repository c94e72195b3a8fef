from retinagan.runtime.dicom.algorithm import Algorithm, shortened


def test_identification_has_model_version_hash_and_threshold():
    algorithm = Algorithm("mine", "0f" * 32, "1.2.3", 0.5, "ONNX Runtime on CPU", "field of view 45 degrees")
    (item,) = algorithm.identification()
    assert (item.AlgorithmName, item.AlgorithmVersion, item.AlgorithmSource) == (
        "mine",
        "1.2.3",
        "Retina-GAN",
    )
    assert item.AlgorithmParameters == (
        f"model SHA-256 {'0f' * 32}; probability threshold 0.5; field of view 45 degrees; "
        "engine ONNX Runtime on CPU"
    )
    assert item.AlgorithmFamilyCodeSequence[0].CodeValue == "123110"


def test_a_model_without_a_hash_says_so():
    algorithm = Algorithm("mine", "", "1.2.3", 0.5)
    assert algorithm.parameters == "model SHA-256 not known; probability threshold 0.5"
    assert algorithm.serial_number == "not known"


def test_names_fit_every_character_set_and_the_longest_text():
    assert Algorithm("Gefäße\\neu", "", "1", 0.5).name == "Gef??e/neu"
    assert shortened("a" * 100) == "a" * 64
