COLOUR = {"labels": ["red", "blue"], "gates": {"minPhotosPerLabel": 5}}


def test_good_data_let_the_skill_train(good_pile, judged):
    result = judged(good_pile, colour=COLOUR)
    assert result.report["skills"]["colour"]["passed"], result.report["findings"]
    assert result.report["photos"] == 12
    assert result.report["findings"] == []
