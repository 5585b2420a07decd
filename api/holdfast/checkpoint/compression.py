"""Stored values made smaller by Deflate, which is told beforehand what most of them hold.

A compressed value begins with `MARK`, the version of its form: with other words, or another method, it would
be another letter, and this one would still be read.
"""

import zlib

MARK = b"Z"
LEAST = 400  # bytes: taking a shorter value apart again costs more time than it saves room
WINDOW = -15  # 32 KB, without header and checksum
LEVEL = 3  # half the time of 6 for texts, and 2 % more bytes
MEMORY = 8

# Of messages and of the envelopes of checkpoints, as MessagePack has them. What comes last is found at the
# least cost. What is stored cannot be read without these very bytes: they never change.
WORDS = b"".join(
    (
        b"Vmsgpack\0\xc8\x01\x05\x94\xbclangchain_core.messages.tool\xabToolMessage\x89\xa7content\xd9",
        b"\xa4type\xa4tool\xa4name\xa2id\xd9$\xactool_call_id\xbdcall_\xa8artifact\xc0",
        b"\xa6status\xa7success\xb3model_validate_json",
        b"Vmsgpack\0\xc7\x05\x94\xbdlangchain_core.messages.human\xacHumanMessage\x86\xa7content\xd9",
        b"\xb1additional_kwargs\x80\xb1response_metadata\x80\xa4type\xa5human\xa4name\xc0\xa2id\xd9$",
        b"\xb3model_validate_json",
        b"Vmsgpack\0\xc8\x02\x05\x94\xbalangchain_core.messages.ai\xa9AIMessage\x89\xa7content\xa0",
        b"\xb1additional_kwargs\x80\xb1response_metadata\x83\xaemodel_provider\xa6openai",
        b"\xb2system_fingerprint\xaatoken_usage\xb1completion_tokens\xadprompt_tokens",
        b"\xadfinish_reason\xaatool_calls\xa4stop\xaamodel_name\xa4type\xa2ai\xa4name\xc0\xa2id\xd9,lc_run--",
        b"\xaatool_calls\x91\x84\xa4name\xa4args\x81\xa2id\xbdcall_\xa4type\xa9tool_call",
        b"\xb2invalid_tool_calls\x90\xaeusage_metadata\x85\xacinput_tokens\xcd\x01",
        b"\xadoutput_tokens\x0c\xactotal_tokens\xcd\x01\xb3input_token_details\x80",
        b"\xb4output_token_details\x80\xb3model_validate_json",
        b"Vmsgpack\0\xc8\x03\0\x93\xa8builtins\xa5tuple\x93\x86\xa1v\x04\xa2ts\xd9 20+00:00\xa2id\xd9$",
        b"\xb0channel_versions\x82\xa9__start__\xb100000002.\xafbranch:to:__pregel_tasks",
        b"\xadversions_seen\x83\xa9__input__\x80\xa9__start__\x81\xa9__start__\xb100000001.",
        b"\xad__interrupt__\xb0updated_channels\x92\xa6source\xa6update\xa4fork\xa5input\xa4step\xff",
        b"\xa7parents\x81\xa0\xd9$\x89\xa6source\xa4loop\xa4step\x01\xa7parents\x80",
        b"\xa8graph_id\xacassistant_id\xd9$\xaacreated_by\xa6system\xa6run_id\xd9$",
        b"\xabrun_attempt\x01\xb6langgraph_auth_user_id\x80",
    )
)


def compressed(blob: bytes) -> bytes:
    """The value in fewer bytes, or as it is where that does not pay."""
    if len(blob) < LEAST:
        return blob
    deflate = zlib.compressobj(LEVEL, zlib.DEFLATED, WINDOW, MEMORY, zlib.Z_DEFAULT_STRATEGY, WORDS)
    smaller = MARK + deflate.compress(blob) + deflate.flush()
    return smaller if len(smaller) < len(blob) - len(blob) // 8 else blob


def plain(blob: bytes, limit: int) -> bytes:
    """The value as it was. Raises `ValueError` or `zlib.error` for anything else, and beyond the limit."""
    if not blob.startswith(MARK):
        return blob
    inflate = zlib.decompressobj(WINDOW, zdict=WORDS)
    whole = inflate.decompress(blob[1:], limit)
    if not inflate.eof:
        raise ValueError("A compressed value is cut short or too large.")
    return whole
