"""All mutations of a kernel's file in one text, each behind a switch of its own: what is judged a
thousand times is compiled once. Where the run-time number `touchstone_mutation` is a site's, its
mutation is what runs; else the text is as it was. A line stays the line that it was."""

import hashlib
import re

# Given to the compiler before every file.
HEADER = """#pragma once
// The mutation that runs; 0: none.
extern const unsigned touchstone_mutation;
"""
# Linked in; the number comes from the environment.
SOURCE = """#include <cstdlib>
extern const unsigned touchstone_mutation;
const unsigned touchstone_mutation = [] {
  const char* number = std::getenv("TOUCHSTONE_MUTATION");
  return number == nullptr ? 0u : static_cast<unsigned>(std::strtoul(number, nullptr, 10));
}();
"""


def number_of(site):
    """By its id, so that other sites' coming and going changes no compiled file."""
    return int(hashlib.sha256(site.id.encode()).hexdigest()[:8], 16) | 1


def one_line(text):
    text = re.sub(r"//[^\n]*|/\*.*?\*/", " ", text, flags=re.S)
    return " ".join(text.split())


class Region:
    """A stretch of the text with the sites that change all of it, and the regions within."""

    def __init__(self, begin, end):
        self.begin, self.end, self.sites, self.inner = begin, end, [], []

    def put(self, region):
        for one in self.inner:
            if one.begin <= region.begin and region.end <= one.end:
                return one.put(region)
            if region.begin < one.end and one.begin < region.end:
                raise ValueError(f"sites {one.sites[0].id} and {region.sites[0].id} overlap")
        self.inner.append(region)
        return None

    def switched(self, text):
        """The region's text with switches."""
        parts, at = [], self.begin
        for one in sorted(self.inner, key=lambda region: region.begin):
            parts += [text[at:one.begin], one.switched(text)]
            at = one.end
        right = "".join(parts) + text[at:self.end]
        if not self.sites:
            return right
        if right.startswith("TOUCHSTONE_REQUIRE"):  # a statement
            return f"if (touchstone_mutation != {number_of(self.sites[0])}u) {right}"
        for site in reversed(self.sites):
            right = (f"(touchstone_mutation == {number_of(site)}u ? ({one_line(site.changed)}) : "
                     f"({right}))")
        return right


def switched(text, sites):
    """The text with a switch for each of the sites of the file that can have one."""
    regions = {}
    for site in sites:
        if site.switch:
            region = regions.setdefault((site.begin, site.end), Region(site.begin, site.end))
            region.sites.append(site)
    whole = Region(0, len(text))
    for region in sorted(regions.values(), key=lambda one: (one.begin, -one.end)):
        whole.put(region)
    return whole.switched(text)


def mutated(text, site):
    """The text with one mutation and no switch."""
    return text[:site.begin] + site.changed + text[site.end:]
