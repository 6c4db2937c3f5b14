"""Files of what is to be dispatched, however they were written, and what is no such file."""

from pathlib import Path
from uuid import uuid4

import pytest

from orderflow.dispatch_form import BadLine, Line, read_lines
from orderflow.failure import Failure

A, B = uuid4(), uuid4()


@pytest.mark.parametrize(
    "content",
    [
        f"shipment_id,carrier,tracking_number\n{A},FedEx,TRK1\n{B},UPS,TRK2\n".encode(),
        f"\ufeffshipment_id;carrier;tracking_number\r\n{A};FedEx;TRK1\r\n\r\n{B};UPS;TRK2".encode(),
        f'tracking_number, shipment_id ,carrier\nTRK1,"{A}",FedEx\nTRK2 ,{B}, UPS \n'.encode(),
    ],
    ids=["commas", "as spreadsheets write it", "another order"],
)
def test_files_are_read_however_they_were_written(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "parcels.csv"
    file.write_bytes(content)

    lines = [line for line in read_lines(file) if isinstance(line, Line)]

    found = [(line.wanted.shipment_id, line.wanted.carrier, line.wanted.tracking_number) for line in lines]
    assert found == [(A, "FedEx", "TRK1"), (B, "UPS", "TRK2")]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "Line 1 must name the columns"),
        (b"carrier\nFedEx\n", "Line 1 must name the columns"),
        (b"shipment_id,weight\n1,2\n", "Line 1 must name the columns"),
        (b"shipment_id,shipment_id\n1,2\n", "Line 1 must name the columns"),
        (b'"shipment_id\n', "Line 1 cannot be read as CSV"),
        (b"shipment_id\n\xff\xfe\n", "is not UTF-8"),
    ],
)
def test_what_is_no_such_file_is_said_in_one_line(tmp_path: Path, content: bytes, said: str) -> None:
    file = tmp_path / "parcels.csv"
    file.write_bytes(content)

    with pytest.raises(Failure, match=said):
        read_lines(file)


def test_a_line_that_cannot_be_read_keeps_no_other_from_being_read(tmp_path: Path) -> None:
    file = tmp_path / "parcels.csv"
    file.write_text(f'shipment_id,carrier\n{A},"Fed"Ex\n{B},UPS\n')

    bad, good = read_lines(file)

    assert isinstance(bad, BadLine)
    assert isinstance(good, Line)
    assert (bad.number, good.number, good.wanted.shipment_id) == (2, 3, B)
