"""Malicious and broken files, made here, and the command line or the reader that gets each of them."""

from __future__ import annotations

import io
import json
import os
import pickle
import struct
import tempfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np

Case = Callable[[Path], "list[object]"]
CASES: dict[str, Case] = {}
"""For each file: a function that makes it in a folder and returns the arguments of the command."""
PNG = b"\x89PNG\r\n\x1a\n"


def case(function: Case) -> Case:
    CASES[function.__name__.strip("_")] = function
    return function


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png(width: int, height: int, colour: int = 2, bits: int = 8, pixels: bytes = b"") -> bytes:
    header = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)
    return PNG + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(pixels)) + chunk(b"IEND", b"")


def crop() -> bytes:
    picture = np.full((40, 120, 3), 220, np.uint8)
    cv2.putText(picture, "A1", (6, 30), cv2.FONT_HERSHEY_SIMPLEX, 1, (30, 30, 30), 2)
    return cv2.imencode(".png", picture)[1].tobytes()


def tiff(width: int, height: int, again: int | None = None) -> bytes:
    tags = [
        (256, 4, width),
        *([(256, 4, again)] if again else []),
        (257, 4, height),
        (258, 3, 8),
        (259, 3, 1),
        (262, 3, 1),
        (273, 4, 8),
        (277, 3, 1),
    ]
    entries = b"".join(struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in tags)
    return b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + bytes(4)


def jpeg(width: int, height: int, marker: int = 0xC2) -> bytes:
    frame = struct.pack(">BHHB", 8, height, width, 3) + bytes((1, 17, 0, 2, 17, 0, 3, 17, 0))
    return b"\xff\xd8\xff" + bytes([marker]) + struct.pack(">H", len(frame) + 2) + frame + b"\xff\xda\0\2"


def webp(width: int, height: int) -> bytes:
    canvas = b"\0\0\0\0" + struct.pack("<I", width - 1)[:3] + struct.pack("<I", height - 1)[:3]
    return b"RIFF" + struct.pack("<I", 22) + b"WEBPVP8X" + struct.pack("<I", 10) + canvas


def avif(width: int, height: int) -> bytes:
    def box(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content) + 8) + kind + content

    size = box(b"ispe", bytes(4) + struct.pack(">II", width, height))
    return box(b"ftyp", b"avif\0\0\0\0avifmif1") + box(b"meta", bytes(4) + box(b"iprp", box(b"ipco", size)))


def jpeg2000(width: int, height: int, tile: int | None = None) -> bytes:
    tiles = (width, height) if tile is None else (tile, tile)
    size = struct.pack(">HHIIIIIIIIH", 47, 0, width, height, 0, 0, *tiles, 0, 0, 3)
    return b"\xff\x4f\xff\x51" + size + bytes((7, 1, 1)) * 3


IMAGES = {
    "png_60000": png(60_000, 60_000),
    "png_transparent": png(6000, 6000, colour=6, bits=16),
    "jpeg_65000": jpeg(65_000, 65_000),
    "jpeg_progressive": jpeg(12_000, 12_000),
    "tiff_100000": tiff(100_000, 100_000),
    "tiff_two_widths": tiff(100_000, 100_000, again=16),
    "gif_65000": b"GIF89a" + struct.pack("<HH", 65_000, 65_000) + bytes(20) + b";",
    "webp_16000000": webp(16_000_000, 16_000_000),
    "bmp_2000000000": b"BM"
    + bytes(12)
    + struct.pack("<IiiHH", 40, 2_000_000_000, -60_000, 1, 24)
    + bytes(24),
    "pnm_99999": b"P6\n# a comment\n99999 99999\n255\n" + bytes(64),
    "pam_99999": b"P7\nWIDTH 99999\nHEIGHT 99999\nDEPTH 3\nMAXVAL 255\nTUPLTYPE RGB\nENDHDR\n" + bytes(64),
    "pam_two_widths": b"P7\nWIDTH 99999\nWIDTH 9\nHEIGHT 99999\nDEPTH 3\nMAXVAL 255\nENDHDR\n" + bytes(64),
    "avif_60000": avif(60_000, 60_000),
    "jp2_60000": jpeg2000(60_000, 60_000),
    "jp2_tiles": jpeg2000(4080, 4080, tile=16),
    "jp2_no_tiles": jpeg2000(400, 400, tile=0),
    "hdr_unknown": b"#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n\n-Y 60000 +X 60000\n" + bytes(64),
    "jpeg_without_end": b"\xff\xd8\xff" + b"\xff\xe0\0\2" * 50_000,
    "tiff_loop": b"II*\0" + struct.pack("<IH", 8, 0) + struct.pack("<I", 8),
    "png_cut": crop()[:60],
    "png_chunk": PNG + struct.pack(">I", 0xBE000000) + b"IDAT" + bytes(20),
    "png_chunk_later": png(60, 40)[:33] + struct.pack(">I", 0x7F000000) + b"tEXt" + bytes(20),
}
"""Images that claim more than they are, by name."""


def of_image(content: bytes) -> Case:
    def make(folder: Path) -> list[object]:
        (folder / "crop.png").write_bytes(content)
        (folder / "labels.txt").write_text("crop.png\tA1\n", "utf-8")
        return ["import", folder / "labels.txt", "--to", folder / "target"]

    return make


CASES.update({f"image_{name}": of_image(content) for name, content in IMAGES.items()})


def labelled(folder: Path, name: str, content: bytes, *options: object) -> list[object]:
    (folder / name).write_bytes(content)
    return ["import", folder / name, "--to", folder / "target", *options]


def named_images(written: str) -> Case:
    return lambda folder: labelled(folder, "labels.txt", f"{written}\tA1\n".encode())


CASES["name_null"] = named_images("a\0b.png")
CASES["name_long"] = named_images("a" * 300_000 + ".png")
CASES["name_deep"] = named_images("a/" * 50_000 + "b.png")
CASES["name_above"] = named_images("../../../../../../etc/passwd")
CASES["name_absolute"] = named_images("/etc/passwd")


@case
def name_device(folder: Path) -> list[object]:
    (folder / "zero.png").symlink_to("/dev/zero")
    return labelled(folder, "labels.txt", b"zero.png\tA1\n")


@case
def name_link_to_itself(folder: Path) -> list[object]:
    (folder / "loop.png").symlink_to("loop.png")
    return labelled(folder, "labels.txt", b"loop.png\tA1\n")


@case
def labels_pipe(folder: Path) -> list[object]:
    os.mkfifo(folder / "labels.txt")
    return ["split", folder / "labels.txt", "--output", folder / "target"]


@case
def lmdb_pipe(folder: Path) -> list[object]:
    (folder / "store").mkdir()
    os.mkfifo(folder / "store" / "data.mdb")
    return ["import", folder / "store", "--to", folder / "target"]


@case
def model_pipe(folder: Path) -> list[object]:
    os.mkfifo(folder / "model.safetensors")
    return ["inspect", folder / "model.safetensors"]


@case
def weights_pipe(folder: Path) -> list[object]:
    os.mkfifo(folder / "model.pdparams")
    return ["inspect", folder / "model.pdparams"]


@case
def folder_of_a_pipe(folder: Path) -> list[object]:
    (folder / "crops").mkdir()
    os.mkfifo(folder / "crops" / "pipe")
    (folder / "crops" / "a.png").symlink_to("pipe")
    return ["import", folder / "crops", "--to", folder / "target"]


@case
def labels_huge(folder: Path) -> list[object]:
    with (folder / "labels.txt").open("wb") as file:
        file.truncate(2**40)
    return ["split", folder / "labels.txt", "--output", folder / "target"]


@case
def labels_one_line(folder: Path) -> list[object]:
    return labelled(folder, "labels.txt", b"a" * 20_000_000, "--format", "paddleocr")


@case
def labels_binary(folder: Path) -> list[object]:
    return labelled(folder, "labels.txt", bytes(range(256)) * 4000, "--format", "paddleocr")


@case
def labels_many_lines(folder: Path) -> list[object]:
    (folder / "labels.txt").write_bytes(b"a.png\tA\n" * 6_000_000)
    return ["split", folder / "labels.txt", "--output", folder / "target"]


@case
def csv_of_commas(folder: Path) -> list[object]:
    return labelled(folder, "labels.csv", b"image,text\n" + b"," * 60_000_000, "--format", "csv")


@case
def csv_of_lines(folder: Path) -> list[object]:
    return labelled(folder, "labels.csv", b"image,text\n" + b"a,b\n" * 15_000_000)


@case
def jsonl_of_lines(folder: Path) -> list[object]:
    return labelled(folder, "labels.jsonl", b"{}\n" * 20_000_000)


@case
def ppocrlabel_of_lines(folder: Path) -> list[object]:
    return labelled(folder, "Label.txt", b"a.png\t[]\n" * 6_000_000, "--format", "ppocrlabel")


@case
def paddleocr_of_lines(folder: Path) -> list[object]:
    return labelled(folder, "labels.txt", b"a.png A\n" * 8_000_000, "--format", "paddleocr")


@case
def csv_of_quotes(folder: Path) -> list[object]:
    return labelled(folder, "labels.csv", b'image,text\n"' + b'a,""' * 500_000, "--format", "csv")


@case
def json_deep(folder: Path) -> list[object]:
    return labelled(folder, "labels.json", b"[" * 1_000_000, "--format", "label_studio")


@case
def json_deep_and_whole(folder: Path) -> list[object]:
    deep = b'{"a":' * 400 + b"1" + b"}" * 400
    return labelled(folder, "labels.json", b'[{"annotations": [' + deep + b"]}]", "--format", "label_studio")


@case
def json_objects(folder: Path) -> list[object]:
    content = b"[" + b"{}," * 10_000_000 + b"{}]"
    return labelled(folder, "labels.json", content, "--format", "label_studio")


@case
def json_number(folder: Path) -> list[object]:
    return labelled(folder, "labels.json", b'{"a.png": ' + b"9" * 100_000 + b"}", "--format", "doctr")


@case
def jsonl_deep(folder: Path) -> list[object]:
    return labelled(folder, "labels.jsonl", b'{"a":' * 100_000 + b"\n", "--format", "jsonl")


@case
def coco_odd_types(folder: Path) -> list[object]:
    content = {
        "images": [{"id": [], "file_name": {}}],
        "annotations": [{"image_id": [], "bbox": "x", "text": 1}],
    }
    return labelled(folder, "coco.json", json.dumps(content).encode(), "--format", "coco_text")


PAGE = '<PcGts><Page imageFilename="a.png">{}</Page></PcGts>'


@case
def xml_entities(folder: Path) -> list[object]:
    levels = "".join(f'<!ENTITY a{i} "{f"&a{i - 1};" * 10}">' for i in range(1, 12))
    content = f'<!DOCTYPE PcGts [<!ENTITY a0 "ha">{levels}]>' + PAGE.format("&a11;")
    return labelled(folder, "page.xml", content.encode(), "--format", "page_xml")


@case
def xml_file_entity(folder: Path) -> list[object]:
    content = '<!DOCTYPE PcGts [<!ENTITY a SYSTEM "file:///etc/passwd">]>' + PAGE.format("&a;")
    return labelled(folder, "page.xml", content.encode("utf-16"), "--format", "page_xml")


@case
def xml_network(folder: Path) -> list[object]:
    content = '<!DOCTYPE PcGts SYSTEM "http://127.0.0.1:9/x.dtd">' + PAGE.format("")
    return labelled(folder, "page.xml", content.encode(), "--format", "page_xml")


@case
def xml_deep(folder: Path) -> list[object]:
    return labelled(folder, "page.xml", ("<PcGts>" * 100_000).encode(), "--format", "page_xml")


@case
def xml_elements(folder: Path) -> list[object]:
    content = PAGE.format("<a/>" * 3_000_000)
    return labelled(folder, "page.xml", content.encode(), "--format", "page_xml")


@case
def lmdb_outside(folder: Path) -> list[object]:
    """A root page far behind the end of the file, at which LMDB's library reads outside its memory."""
    (folder / "store").mkdir()
    tree = struct.pack("<IHHQQQQQ", 4096, 0, 1, 0, 1, 0, 5, 2**40)
    meta = bytes(16) + struct.pack("<IIQQ", 0xBEEFC0DE, 1, 0, 2**50) + tree * 2 + struct.pack("<QQ", 9, 1)
    (folder / "store" / "data.mdb").write_bytes(meta.ljust(4096, b"\0") * 2)
    return ["import", folder / "store", "--to", folder / "target"]


@case
def lmdb_cut(folder: Path) -> list[object]:
    return labelled(folder, "data.mdb", b"\xde\xc0\xef\xbe" * 10, "--format", "lmdb")


def lmdb_store() -> bytes:
    """Return a store of one crop."""
    import lmdb

    with tempfile.TemporaryDirectory() as folder, lmdb.open(folder, map_size=1 << 20) as store:
        with store.begin(write=True) as transaction:
            for key, value in (
                (b"image-000000001", crop()),
                (b"label-000000001", b"A1"),
                (b"num-samples", b"1"),
            ):
                transaction.put(key, value)
        return Path(folder, "data.mdb").read_bytes()


def parquet_file() -> bytes:
    """Return a file of one crop."""
    import pyarrow
    import pyarrow.parquet

    out = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.table({"image": [crop()], "text": ["A1"]}), out)
    return out.getvalue()


@case
def parquet_bomb(folder: Path) -> list[object]:
    import pyarrow
    import pyarrow.parquet

    table = pyarrow.table({"image": [bytes(80_000_000)], "text": ["A1"]})
    pyarrow.parquet.write_table(table, folder / "a.parquet", compression="zstd", use_dictionary=False)
    return ["import", folder / "a.parquet", "--to", folder / "target"]


@case
def parquet_damaged(folder: Path) -> list[object]:
    return labelled(folder, "a.parquet", b"PAR1" + b"\xff" * 4000 + struct.pack("<I", 3000) + b"PAR1")


@case
def arrow_damaged(folder: Path) -> list[object]:
    return labelled(folder, "a.arrow", b"ARROW1\0\0" + b"\xff" * 4000 + struct.pack("<I", 3000) + b"ARROW1")


@case
def zip_of_names(folder: Path) -> list[object]:
    import zipfile

    with zipfile.ZipFile(folder / "data.zip", "w") as archive:
        archive.writestr("../../outside.txt", "x")
    return ["import", folder / "data.zip", "--to", folder / "target"]


@case
def boxes_infinite(folder: Path) -> list[object]:
    (folder / "a.png").write_bytes(crop())
    box = {"transcription": "A1", "points": [[0, 0], [1e308, 0], [1e308, 1e308], [0, 1e308]]}
    return labelled(folder, "Label.txt", f"a.png\t{json.dumps([box])}\n".encode())


@case
def record_above(folder: Path) -> list[object]:
    """A record of an earlier import that names a file outside, which --overwrite would delete."""
    (folder / "a.png").write_bytes(crop())
    (folder / "target" / "images").mkdir(parents=True)
    record = {"images": ["../../a.png"], "labels_sha256": "0"}
    (folder / "target" / "import.json").write_text(json.dumps(record), "utf-8")
    return labelled(folder, "labels.txt", b"a.png\tA1\n", "--overwrite")


def run_file(text: str) -> Case:
    def make(folder: Path) -> list[object]:
        (folder / "run.yaml").write_text(text, "utf-8")
        return ["train", folder / "run.yaml"]

    return make


LAUGHS = "a0: &a0 [x, x, x]\n" + "".join(
    f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 12)
)
MERGES = "a0: &a0 {k: v}\n" + "".join(
    f"a{i}: &a{i} {{<<: [{', '.join([f'*a{i - 1}'] * 9)}]}}\n" for i in range(1, 9)
)
CASES["yaml_aliases"] = run_file(LAUGHS)
CASES["yaml_merges"] = run_file(MERGES)
CASES["yaml_itself"] = run_file("a: &a [*a]\n")
CASES["yaml_deep"] = run_file("a: " + "[" * 20_000)
CASES["yaml_long"] = run_file("a: b\n" * 200_000)
CASES["yaml_object"] = run_file("a: !!python/object/apply:os.system ['touch outside']\n")
CASES["yaml_number"] = run_file("seed: " + "9" * 10_000 + "\n")


@case
def paddle_config_aliases(folder: Path) -> list[object]:
    (folder / "rec.yml").write_text(LAUGHS, "utf-8")
    return ["from-paddle", folder / "rec.yml", "--output", folder / "target.yaml"]


def model(folder: Path, name: str, content: bytes) -> list[object]:
    (folder / "a.png").write_bytes(crop())
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_bytes(content)
    return ["predict", folder / name, folder / "a.png"]


class Call:
    def __init__(self, function: Callable[..., object], *arguments: object) -> None:
        self.call = function, arguments

    def __reduce__(self) -> Any:
        return self.call


@case
def pdparams_code(folder: Path) -> list[object]:
    content = {"a": Call(os.system, f"touch {folder / 'outside'}")}
    return model(folder, "a.pdparams", pickle.dumps(content))


@case
def pdparams_memo(folder: Path) -> list[object]:
    """An index for which the unpickler in C reserves 32 GB."""
    return model(folder, "a.pdparams", b"\x80\x02}r\xff\xff\xff\x7f.")


@case
def pdparams_empty_array(folder: Path) -> list[object]:
    array = Call(np.ndarray, (10**9,), "<f4")
    return model(folder, "a.pdparams", pickle.dumps({"a": array}))


@case
def pdparams_strides(folder: Path) -> list[object]:
    """One number that is an array of 4 GB by its strides."""
    array = Call(np.ndarray, (10**9,), "<f4", b"\0\0\0\0", 0, (0,))
    return model(folder, "a.pdparams", pickle.dumps({"a": array}))


@case
def pdparams_objects(folder: Path) -> list[object]:
    return model(folder, "a.pdparams", pickle.dumps({"a": np.array([{}, []], object)}))


@case
def pdparams_many_names(folder: Path) -> list[object]:
    array = np.zeros(500_000, np.float32)
    return model(folder, "a.pdparams", pickle.dumps({str(i): array for i in range(5000)}))


@case
def pdparams_classes(folder: Path) -> list[object]:
    content = {"head.ctc_head.fc.weight": np.zeros((1, 5_000_000), np.float32)}
    return model(folder, "a.pdparams", pickle.dumps(content))


@case
def pdparams_frame(folder: Path) -> list[object]:
    """More operations in one frame than weights need."""
    operations = b"]" * 4_000_000
    return model(folder, "a.pdparams", b"\x80\x04\x95" + struct.pack("<Q", len(operations)) + operations)


@case
def pdparams_bytes(folder: Path) -> list[object]:
    """An array of bytes of four gigabytes, in a file of thirteen bytes."""
    return model(folder, "a.pdparams", b"\x80\x05\x96" + struct.pack("<Q", 2**32))


@case
def pdparams_deep_key(folder: Path) -> list[object]:
    """A key whose hash would overflow the stack of the process."""
    return model(folder, "a.pdparams", b"\x80\x02})" + b"\x85" * 1_500_000 + b"Ns.")


@case
def pdparams_long_type(folder: Path) -> list[object]:
    name = b"f4," * 1_000_000
    start = b"\x80\x02}cnumpy\ndtype\nX" + struct.pack("<I", len(name))
    return model(folder, "a.pdparams", start + name + b"\x85R.")


@case
def safetensors_header(folder: Path) -> list[object]:
    return model(folder, "a.safetensors", struct.pack("<Q", 2**62) + b"{}")


@case
def safetensors_offsets(folder: Path) -> list[object]:
    header = json.dumps({"a": {"dtype": "F32", "shape": [2**40], "data_offsets": [0, 2**42]}}).encode()
    return model(folder, "a.safetensors", struct.pack("<Q", len(header)) + header)


def own(header: dict[str, str], tensors: dict[str, Any] | None = None) -> bytes:
    """Return a model file of linetune with these values in its header."""
    import safetensors.numpy

    known = {"format": "linetune", "version": "2", "charset": '["a"]', "base_model": "x"}
    known["charset_sha256"] = "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"
    arrays = tensors or {"a": np.zeros(1, np.float32)}
    return bytes(safetensors.numpy.save(arrays, {**known, **header}))


@case
def safetensors_scale(folder: Path) -> list[object]:
    """An architecture of some terabytes."""
    return model(folder, "a.safetensors", own({"architecture": '{"scale": 20000.0}'}))


@case
def safetensors_deep_header(folder: Path) -> list[object]:
    return model(folder, "a.safetensors", own({"architecture": "[" * 100_000}))


@case
def safetensors_odd_charset(folder: Path) -> list[object]:
    return model(folder, "a.safetensors", own({"charset": "[1, null, {}]"}))


def onnx_file(**changes: Any) -> bytes:
    import onnx

    tensor = onnx.TensorProto(name="w", data_type=1, dims=[2], raw_data=bytes(8))
    for key, value in changes.items():
        if key == "dims":
            del tensor.dims[:]
            tensor.dims.extend(value)
        elif key == "location":
            tensor.ClearField("raw_data")
            tensor.data_location = onnx.TensorProto.EXTERNAL
            tensor.external_data.add(key="location", value=value)
    node = onnx.helper.make_node("Add", ["w", "x"], ["y"])
    graph = onnx.GraphProto(name="g", node=[node], initializer=[tensor])
    return bytes(onnx.ModelProto(graph=graph, ir_version=8).SerializeToString())


CASES["onnx_external"] = lambda folder: model(folder, "a.onnx", onnx_file(location="../../../etc/passwd"))
CASES["onnx_shape"] = lambda folder: model(folder, "a.onnx", onnx_file(dims=[2**62]))
CASES["onnx_negative"] = lambda folder: model(folder, "a.onnx", onnx_file(dims=[-5]))
CASES["onnx_no_values"] = lambda folder: model(folder, "a.onnx", onnx_file(dims=[0, 2**40]))
CASES["onnx_nodes"] = lambda folder: model(
    folder, "a.onnx", b"\x3a" + varint(4_000_000) + b"\x0a\0" * 2_000_000
)
CASES["onnx_text"] = lambda folder: model(folder, "a.onnx", b"<html>" * 1000)


@case
def onnx_hard_link(folder: Path) -> list[object]:
    (folder / "weights.bin").write_bytes(bytes(8))
    os.link(folder / "weights.bin", folder / "link.bin")
    return model(folder, "a.onnx", onnx_file(location="link.bin"))


def varint(value: int) -> bytes:
    out = b""
    while value > 127:
        out, value = out + bytes([value & 127 | 128]), value >> 7
    return out + bytes([value])


def inference(folder: Path, program: object, parameters: bytes = b"", settings: str = "") -> list[object]:
    (folder / "m").mkdir()
    content = program if isinstance(program, bytes) else json.dumps(program).encode()
    (folder / "m" / "inference.json").write_bytes(content)
    (folder / "m" / "inference.pdiparams").write_bytes(parameters)
    (folder / "m" / "inference.yml").write_text(settings, "utf-8")
    (folder / "a.png").write_bytes(crop())
    return ["predict", folder / "m", folder / "a.png"]


def program(*names: object) -> dict[str, Any]:
    operations = [{"#": "p", "O": {"%": i}, "A": [0, 0, 0, name]} for i, name in enumerate(names)]
    return {"program": {"regions": [{"blocks": [{"ops": operations}]}]}}


CASES["paddle_deep"] = lambda folder: inference(folder, b"[" * 500_000)
CASES["paddle_names"] = lambda folder: inference(folder, program("a", 1, None))
CASES["paddle_shape"] = lambda folder: inference(
    folder, program("a"), struct.pack("<IQIi", 0, 0, 0, 13) + b"\x08\5" + (b"\x10" + varint(2**31)) * 2
)
CASES["paddle_length"] = lambda folder: inference(
    folder, program("a"), struct.pack("<IQIi", 0, 0, 0, -20) + bytes(99)
)


def directory(folder: Path, config: bytes, tensors: bytes = b"") -> list[object]:
    arguments = model(folder, "m/config.json", config)
    (folder / "m" / "model.safetensors").write_bytes(tensors)
    return ["predict", folder / "m", arguments[-1]]


CASES["hf_deep"] = lambda folder: directory(folder, b'{"a":' * 100_000)
CASES["hf_odd"] = lambda folder: directory(
    folder, b'{"model_type": "pp_ocrv6_small_rec", "backbone_config": {"stem_channels": 5}}', own({})
)
CASES["hf_huge"] = lambda folder: directory(
    folder,
    b'{"model_type": "pp_ocrv5_mobile_rec", "backbone_config": {"scale": 1e9}, "hidden_size": 1e9}',
    own({}, {"head.head.weight": np.zeros((7, 1), np.float32)}),
)


def font(changes: dict[str, bytes]) -> bytes:
    """Return the font that Pillow contains, with other tables."""
    from fontTools.ttLib import TTFont  # type: ignore[import-untyped]
    from PIL import ImageFont

    loaded = ImageFont.load_default(20)
    assert isinstance(loaded, ImageFont.FreeTypeFont)
    tables = TTFont(io.BytesIO(loaded.font_bytes))
    for name, content in changes.items():
        tables[name] = raw_table(name, content)
    out = io.BytesIO()
    tables.save(out)
    return out.getvalue()


def raw_table(name: str, content: bytes) -> Any:
    from fontTools.ttLib.tables.DefaultTable import DefaultTable  # type: ignore[import-untyped]

    table = DefaultTable(name)
    table.data = content
    return table


GROUP = struct.pack(">HHHHI", 0, 1, 3, 10, 12) + struct.pack(">HHIIIIII", 12, 0, 28, 0, 1, 0, 2**32 - 2, 0)
SEGMENTS = struct.pack(">HHHHI", 0, 1, 3, 1, 12) + struct.pack(">HHHHHHH", 4, 65535, 0, 16000, 0, 0, 0)
SEGMENTS += b"\xff\xff" * 8000 + bytes(2) + bytes(16000) * 3
