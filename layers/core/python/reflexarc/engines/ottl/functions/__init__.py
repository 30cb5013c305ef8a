"""The converters that conditions call. A topic's module is loaded when one of its names is met."""

from collections.abc import Mapping
from importlib import import_module

from reflexarc.engines.ottl.functions.signature import Converter

_TOPICS: Mapping[str, str] = {
    "checks": (
        "IsString IsInt IsDouble IsBool IsMap IsList IsRootSpan IsValidLuhn "
        "HasAttrKeyOnDatapoint HasAttrOnDatapoint"
    ),
    "collections_of": "Keys Values IsEmpty Sort SliceToMap ToKeyValueString",
    "encodings": "Base64Encode Base64Decode Decode",
    "formatting": "Format",
    "grok": "ExtractGrokPatterns",
    "hashing": "FNV MD5 SHA1 SHA256 SHA512 Murmur3Hash Murmur3Hash128 XXH3 XXH128",
    "identifiers": "TraceID SpanID ProfileID UUID UUIDv7",
    "network": "IsInCIDR CommunityID URL",
    "numbers": "Int Double Bool String Hex Log Coalesce ParseInt",
    "parsing": "ParseJSON ParseKeyValue ParseSeverity ParseCSV",
    "patterns": "IsMatch ExtractPatterns",
    "text": (
        "ConvertCase ToLowerCase ToUpperCase ToSnakeCase ToCamelCase Concat HasPrefix HasSuffix "
        "Split Substring Trim TrimPrefix TrimSuffix Len Index ContainsValue"
    ),
    "times": (
        "Now Duration Time FormatTime Unix TruncateTime Year Month Day Weekday Hour Minute Second "
        "Nanosecond UnixNano UnixMicro UnixMilli UnixSeconds Hours Minutes Seconds Milliseconds "
        "Microseconds Nanoseconds"
    ),
    "xml": "ParseXML ParseSimplifiedXML",
}
TOPIC_OF: Mapping[str, str] = {
    name: topic for topic, names in _TOPICS.items() for name in names.split()
}

_XPATH = "edits XML by XPath, which reflexarc does not read; ParseXML gives the elements as a map"
_LAMBDA = "takes a function written in place, which the Collector has behind a feature gate"
# Converters of the Collector that are not here, and why.
REFUSED: Mapping[str, str] = {
    "UserAgent": "needs the tables of all browsers, which reflexarc does not carry",
    **dict.fromkeys(
        (
            "GetXML",
            "RemoveXML",
            "InsertXML",
            "ConvertAttributesToElementsXML",
            "ConvertTextToElementsXML",
        ),
        _XPATH,
    ),
    **dict.fromkeys(
        ("All", "Any", "Filter", "Find", "MapEach", "MapKeys", "Reduce", "When"), _LAMBDA
    ),
}


def find(name: str) -> Converter | None:
    """Return a converter by its name, None where there is none."""
    return known(name) if name in TOPIC_OF else None


def known(name: str) -> Converter:
    """Return a converter that there is."""
    topic = import_module(f"{__name__}.{TOPIC_OF[name]}")
    converters: Mapping[str, Converter] = topic.CONVERTERS
    return converters[name]
