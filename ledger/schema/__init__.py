"""Protobuf schemas and the code generated from them by ``script/generate-schema``."""
