"""Ports filled by the incidents table; the layout of its rows is in `rows`."""
