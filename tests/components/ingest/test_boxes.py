"""The column `box_xyxy` of a table: kept where it is a box of its photo, left empty with the reason elsewhere."""

from coachworks.tables import read_table
from components.ingest.step import ingest

TABLE = """\
filename,animal,box_xyxy,rotation_degrees
1.png,cat,"4,5,40,30",90
2.png,dog,"4,5,49,30"
3.png,cat,"30,5,4,30"
4.png,dog,here
5.png,cat,,45
"""


def test_boxes_are_kept_and_wrong_ones_are_left_empty_with_their_reason(draw, make_fleet, table):
    for number in range(1, 6):
        draw(f"photos/{number}.png", number)  # 48 × 32 pixels
    result = ingest(make_fleet(table(TABLE)))
    catalogue = read_table(result.path / "catalogue.parquet").set_index("filename")
    assert catalogue.loc["1.png", "box_xyxy"] == "4,5,40,30"
    assert catalogue["box_xyxy"].notna().sum() == 1
    assert result.report.photos == 5
    remarks = {remark.file: remark.message for remark in result.report.remarks}
    assert remarks["2.png"] == (
        "box_xyxy: a box must lie inside its photo, which is 48 × 32 pixels upright; got '4,5,49,30': left empty"
    )
    assert "x1 < x2 and y1 < y2; got '30,5,4,30': left empty" in remarks["3.png"]
    assert "must be four numbers x1,y1,x2,y2; got 'here': left empty" in remarks["4.png"]
    assert catalogue["rotation_degrees"].dropna().to_dict() == {"1.png": "90"}
    assert remarks["5.png"] == (
        "rotation_degrees: a rotation must be 0, 90, 180 or 270 degrees clockwise; got '45': left empty"
    )
    assert set(remarks) == {"2.png", "3.png", "4.png", "5.png"}
