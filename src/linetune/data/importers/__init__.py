"""Import of labelled crops from the formats of other tools, as a label file and a folder of images.

Each family of formats has one module. :mod:`registry` recognises formats, :mod:`run` writes the crops.
"""

from __future__ import annotations

FORMATS = {
    "ppocrlabel": "PPOCRLabel's Label.txt: boxes in photos",
    "rec_gt": "PPOCRLabel's rec_gt.txt with crop_img/",
    "paddleocr": "label file: path<TAB>text",
    "path_text": "path, then spaces or a comma, then the text",
    "icdar": 'gt.txt: img.png, "text"',
    "csv": "table with commas, semicolons or tabs",
    "gt_txt": "a .gt.txt beside each image",
    "txt": "a .txt beside each image",
    "names": "file names as labels",
    "folders": "subfolders whose names are the labels",
    "lmdb": "LMDB: image-%09d, label-%09d",
    "mmocr": "MMOCR's JSON: data_list",
    "jsonl": "JSON objects with file_name and text, one on each line or in a list",
    "parquet": "Parquet or Arrow: image, text",
    "label_studio": "Label Studio's JSON or JSON-MIN",
    "page_xml": "PAGE XML, one file for each page",
    "alto": "ALTO XML, one file for each page",
    "cvat": "CVAT for images: annotations.xml",
    "icdar_boxes": "a text file of boxes for each photo: x1,y1,…,x4,y4,text",
    "doctr": "docTR's labels.json",
    "coco_text": "COCO with texts: images, annotations",
}
"""All formats by name. This module imports nothing. The help of the command is therefore fast."""
WITH_BOXES = ("ppocrlabel", "label_studio", "page_xml", "alto", "cvat", "icdar_boxes", "coco_text")
"""Formats whose boxes linetune cuts out of photos."""
