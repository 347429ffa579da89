"""What mkdocs does beyond its own: pages and links outside of ``docs/``.

The pages of the repository link one another by paths, as GitHub and editors follow
them: ``../configs/gap/README.md``, ``docs/ntu.md``. The site has everything in one
tree: what is in ``docs/`` at its root, the rest of the repository under its own path.
So ``README.md`` is the first page, pages and files outside of ``docs/`` that are linked
become part of the site, and the links are rewritten. A link to a folder becomes its
text.

In a published site such files can be those of a repository instead: with
``GAP_REPOSITORY_URL=https://host/owner/name/blob/main`` in the environment, links to
files that are no page lead there.
"""

from __future__ import annotations

import os
import posixpath
import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parents[1]
DOCS = "docs/"
EXTRA_PAGES = ("README.md", "configs/gap/README.md")

_FENCE = re.compile(r"^( *)(`{3,}|~{3,}).*?^\1\2[ ]*$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"(!?)\[((?:[^\[\]]|\[[^\[\]]*\])*)\]\(([^()\s]+)\)")
_LOADED = re.compile(
    r"<(?:script|img|link|iframe)\b[^>]*?(?:src|href)=\"?https?://", re.I
)


def on_files(files: Files, *, config: MkDocsConfig) -> Files:
    """Add the pages and files of the repository that the pages lead to."""
    for path in EXTRA_PAGES:
        _add(files, path, config)
    for page in list(files.documentation_pages()):
        for target in _links(page.content_string, _repository_path(page.src_uri)):
            if _is_file_elsewhere(target) and not _repository_url():
                _add(files, target, config)
    return files


def on_page_markdown(
    markdown: str, *, page: Page, config: MkDocsConfig, files: Files
) -> str:
    """Rewrite the links of a page from paths of the repository to those of the site."""
    source = _repository_path(page.file.src_uri)

    def rewrite(match: re.Match[str]) -> str:
        image, text, address = match.groups()
        if not _is_relative(address):
            return match[0]
        path, mark, anchor = address.partition("#")
        target = _resolve(path, source)
        if (ROOT / target).is_dir():
            return text
        url = _repository_url()
        if url and _is_file_elsewhere(target):
            return f"{image}[{text}]({url}/{target}{mark}{anchor})"
        here = posixpath.dirname(page.file.src_uri)
        address = posixpath.relpath(_site_path(target), here or ".")
        return f"{image}[{text}]({address}{mark}{anchor})"

    return "".join(
        part if is_code else _LINK.sub(rewrite, part)
        for part, is_code in _split(markdown)
    )


def on_post_page(output: str, *, page: Page, config: MkDocsConfig) -> str:
    """Check that the page loads nothing from elsewhere.

    Raises:
        PluginError: If it does.
    """
    found = _LOADED.search(output)
    if found:
        raise PluginError(
            f"{page.file.src_uri} loads something from elsewhere: "
            f"{output[found.start() : found.start() + 120]!r}. The site must work "
            "without a network; put the file into docs/"
        )
    return output


def _add(files: Files, path: str, config: MkDocsConfig) -> None:
    uri = _site_path(path)
    if files.get_file_from_path(uri) is None:
        source = str(ROOT / path)
        files.append(File.generated(config, uri, abs_src_path=source))


def _links(markdown: str, source: str) -> list[str]:
    """List the relative links of a page as paths of the repository."""
    text = "".join(part for part, is_code in _split(markdown) if not is_code)
    addresses = [match[3] for match in _LINK.finditer(text)]
    return [
        _resolve(address.partition("#")[0], source)
        for address in addresses
        if _is_relative(address)
    ]


def _split(markdown: str) -> list[tuple[str, bool]]:
    """Split a page into text and blocks of code."""
    parts: list[tuple[str, bool]] = []
    end = 0
    for fence in _FENCE.finditer(markdown):
        parts += [(markdown[end : fence.start()], False), (fence[0], True)]
        end = fence.end()
    return [*parts, (markdown[end:], False)]


def _is_relative(address: str) -> bool:
    return not re.match(r"[a-z]+:|/|#", address)


def _is_file_elsewhere(path: str) -> bool:
    """Whether a path is a file outside of docs/ and no page of the site."""
    return (
        not path.startswith(DOCS)
        and path not in EXTRA_PAGES
        and (ROOT / path).is_file()
    )


def _resolve(path: str, source: str) -> str:
    return posixpath.normpath(posixpath.join(posixpath.dirname(source), path))


def _site_path(path: str) -> str:
    """Give the place in the site of a file of the repository."""
    return path[len(DOCS) :] if path.startswith(DOCS) else path


def _repository_path(uri: str) -> str:
    """Give the place in the repository of a page of the site."""
    return uri if uri in EXTRA_PAGES else DOCS + uri


def _repository_url() -> str:
    return os.environ.get("GAP_REPOSITORY_URL", "").rstrip("/")
