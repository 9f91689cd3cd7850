"""Plates and folders as instruments and sites write them, with images of a few pixels."""

from pathlib import Path

import numpy as np
import tifffile

INDEX = """<?xml version="1.0" encoding="utf-8"?>
<EvaluationInputData xmlns="http://www.perkinelmer.com/PEHH/HarmonyV5" Version="1">
  <Plates><Plate><PlateID>HPA_1</PlateID></Plate></Plates>
  <Images Version="1">
    <Image Version="1">
      <id>0203K1F4P1R1</id><State>Ok</State><URL>r02c03f04p01-ch1sk1fk1fl1.tiff</URL>
      <Row>2</Row><Col>3</Col><FieldID>4</FieldID><PlaneID>1</PlaneID><TimepointID>0</TimepointID>
      <ChannelID>1</ChannelID><ChannelName>Hoechst 33342</ChannelName>
      <ImageResolutionX Unit="m">2.9678E-07</ImageResolutionX><ImageResolutionY Unit="m">2.9678E-07</ImageResolutionY>
    </Image>
    <Image Version="1">
      <URL>r02c03f04p01-ch2sk1fk1fl1.tiff</URL>
      <ChannelID>2</ChannelID><ChannelName>Alexa 488</ChannelName>
      <ImageResolutionX Unit="m">2.9678E-07</ImageResolutionX>
    </Image>
  </Images>
</EvaluationInputData>
"""


def write_harmony(root: Path, wells=((2, 3), (2, 4), (3, 3)), fields=(1, 2), planes=(1,), channels=(1, 2)) -> None:
    """Writes Images/ with its index; a pixel is 1000 x column + 100 x field + 10 x plane + channel."""
    folder = root / "Images"
    folder.mkdir(parents=True)
    (folder / "Index.idx.xml").write_text(INDEX, encoding="utf-8")
    for row, column in wells:
        for field in fields:
            for plane in planes:
                for channel in channels:
                    name = f"r{row:02}c{column:02}f{field:02}p{plane:02}-ch{channel}sk1fk1fl1.tiff"
                    value = 1000 * column + 100 * field + 10 * plane + channel
                    tifffile.imwrite(folder / name, np.full((8, 8), value, np.uint16))


def write_metaxpress(folder: Path, wells=("A01", "A02", "B01"), sites=(1, 2), waves=(1, 2), guid="") -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for well in wells:
        for site in sites:
            for wave in waves:
                value = 100 * int(well[1:]) + 10 * site + wave
                tifffile.imwrite(folder / f"{well}_s{site}_w{wave}{guid}.TIF", np.full((8, 8), value, np.uint16))
