"""Labelled crops from other tools' formats, as a label file and a folder of images.

One file a family of formats; :mod:`registry` tells them apart, :mod:`run` writes what they give.
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
    "folders": "subfolders named for their labels",
    "lmdb": "LMDB: image-%09d, label-%09d",
    "mmocr": "MMOCR's JSON: data_list",
    "jsonl": "JSON objects, one a line or in a list: file_name, text",
    "parquet": "Parquet or Arrow: image, text",
    "label_studio": "Label Studio's JSON or JSON-MIN",
    "page_xml": "PAGE XML, one file a page",
    "alto": "ALTO XML, one file a page",
    "cvat": "CVAT for images: annotations.xml",
    "icdar_boxes": "a text file of boxes for each photo: x1,y1,…,x4,y4,text",
    "doctr": "docTR's labels.json",
    "coco_text": "COCO with texts: images, annotations",
}
"""Every format by its name. Nothing is imported here, so that the command line's help is quick."""
WITH_BOXES = ("ppocrlabel", "label_studio", "page_xml", "alto", "cvat", "icdar_boxes", "coco_text")
"""Those whose boxes are cut out of photos."""
