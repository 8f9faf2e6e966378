"""Where the parts of a Word document lie in its archive (ECMA-376, part 2).

What the relations say goes before the usual names. A target is only ever looked up among the
archive's members, as a path below its root.
"""

import posixpath

from askai.errors import ReadError
from askai.readers.archive import Archive
from askai.readers.html_elements import Element


class Parts:
    def __init__(self, archive: Archive) -> None:
        self._archive = archive
        self._package = self._relations("")
        self.main = (
            self._package.get("officeDocument") or self._main_by_type() or "word/document.xml"
        )
        self._related = self._relations(self.main)

    def related(self, kind: str) -> Element | None:
        """The part of the main one's styles, numbering, footnotes or endnotes."""
        usual = posixpath.join(posixpath.dirname(self.main), f"{kind}.xml")
        return self._archive.xml(self._related.get(kind, usual))

    def properties(self) -> Element | None:
        """The core properties; None where they are damaged: a text does not need them."""
        return self._xml_if_whole(self._package.get("core-properties", "docProps/core.xml"))

    def _relations(self, source: str) -> dict[str, str]:
        """Members that a part refers to, the first of each kind; "" is the package itself."""
        folder, file = posixpath.split(source)
        root = self._xml_if_whole(posixpath.join(folder, "_rels", f"{file}.rels"))
        found: dict[str, str] = {}
        for one in root if root is not None else ():
            name = _below_root(folder, one.get("Target") or "")
            if one.get("TargetMode") != "External" and name in self._archive:
                found.setdefault((one.get("Type") or "").rpartition("/")[2], name)
        return found

    def _main_by_type(self) -> str | None:
        types = self._xml_if_whole("[Content_Types].xml")
        for one in types if types is not None else ():
            kind = one.get("ContentType") or ""
            name = _below_root("", one.get("PartName") or "")
            # Templates and documents with macros have types of their own.
            if "word" in kind and kind.endswith(".main+xml") and name in self._archive:
                return name
        return None

    def _xml_if_whole(self, name: str) -> Element | None:
        try:
            return self._archive.xml(name)
        except ReadError:
            return None


def _below_root(folder: str, target: str) -> str:
    return posixpath.normpath(posixpath.join("/", folder, target)).lstrip("/")
