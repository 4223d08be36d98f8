from validation import Finding, Severity, judge_skill


def finding(severity, skill=None, photo_ids=(), check="check"):
    return Finding(
        check=check,
        severity=severity,
        skill=skill,
        message="Something.",
        way_out="Do.",
        photo_ids=photo_ids,
        count=len(photo_ids) or 1,
    )


def verdict(findings, critical=False, photo_ids=("a", "b")):
    return judge_skill("colour", findings, critical=critical, photo_ids=frozenset(photo_ids))


def test_a_failure_stops_its_skill_and_no_other():
    assert not verdict([finding(Severity.FAILURE, "colour")]).passed
    assert verdict([finding(Severity.FAILURE, "shape")]).passed


def test_a_failure_of_the_whole_fleet_stops_every_skill():
    assert not verdict([finding(Severity.FAILURE)]).passed


def test_a_warning_does_not_stop_a_standard_skill():
    result = verdict([finding(Severity.WARNING, "colour"), finding(Severity.WARNING)])
    assert result.passed
    assert [warning.skill for warning in result.warnings] == ["colour"]


def test_a_warning_stops_a_critical_skill():
    result = verdict([finding(Severity.WARNING, "colour")], critical=True)
    assert not result.passed
    assert result.failures[0].severity == "failure"
    assert result.failures[0].message == "Something. The skill is critical."
    assert result.warnings == ()


def test_a_warning_about_photos_stops_the_critical_skill_that_uses_them():
    result = verdict([finding(Severity.WARNING, photo_ids=("b", "c", "d"))], critical=True)
    assert result.failures[0].photo_ids == ("b",)
    assert result.failures[0].message == "Something. 1 of them belongs to this critical skill."
    assert verdict([finding(Severity.WARNING, photo_ids=("c",))], critical=True).passed


def test_a_note_stops_no_skill():
    assert verdict([finding(Severity.INFO, "colour"), finding(Severity.INFO)], critical=True).passed


def test_a_shortened_finding_keeps_the_count():
    long = finding(Severity.INFO, photo_ids=tuple(str(n) for n in range(99)))
    assert len(long.shortened().photo_ids) == 50
    assert long.shortened().count == 99
