"""The pjsua2 endpoint of a line: one thread, no sound device, G.711 only, SIP on 127.0.0.1."""

from __future__ import annotations

from typing import Any

import pjsua2 as pj

from ivr.line.messages import LineConfig

SESSION_EXPIRES_S = 600
_CODECS = {"PCMA/8000/1": 255, "PCMU/8000/1": 254}


def start(line: LineConfig) -> tuple[Any, int]:
    """Return a started endpoint and the port its SIP listens on."""
    endpoint = pj.Endpoint()
    endpoint.libCreate()
    endpoint.libInit(_endpoint_config(line))
    for codec in endpoint.codecEnum2():
        endpoint.codecSetPriority(codec.codecId, _CODECS.get(codec.codecId, 0))
    endpoint.audDevManager().setNullDev()
    transport = pj.TransportConfig()
    transport.boundAddress = "127.0.0.1"
    transport.port = line.sip_port
    number = endpoint.transportCreate(pj.PJSIP_TRANSPORT_UDP, transport)
    sip_port = int(endpoint.transportGetInfo(number).localName.rpartition(":")[2])
    endpoint.libStart()
    return endpoint, sip_port


def _endpoint_config(line: LineConfig) -> Any:
    config = pj.EpConfig()
    config.uaConfig.threadCnt = 0
    config.uaConfig.mainThreadOnly = True
    config.uaConfig.userAgent = line.user_agent
    config.uaConfig.natTypeInSdp = 0
    config.logConfig.consoleLevel = 0
    config.logConfig.level = 4 if line.log_path else 0
    config.logConfig.filename = line.log_path
    sound = config.medConfig
    sound.clockRate = sound.sndClockRate = 8000
    sound.channelCount = 1
    sound.audioFramePtime = sound.ptime = 20
    sound.quality = 1
    sound.ecTailLen = 0
    sound.noVad = True
    # no media thread: RTP is read by the loop, so keys are heard there too (see wakeups.py)
    sound.hasIoqueue = False
    sound.threadCnt = 0
    # the conference's clock must run at all times: its changes are carried out by it
    sound.sndAutoCloseTime = -1
    return config


def most_legs() -> int:
    """Return how many legs this build of pjsua2 carries at once in one process."""
    return int(pj.EpConfig().uaConfig.maxCalls)


def account_config(line: LineConfig, sip_port: int) -> Any:
    """Return the account of all legs: where outgoing INVITEs go, what answers a 401 or 407, where RTP binds."""
    config = pj.AccountConfig()
    config.idUri = f"sip:line{line.line}@127.0.0.1:{sip_port}"
    if line.outbound_proxy:
        proxies = pj.StringVector()
        proxies.append(f"<{line.outbound_proxy.strip('<>')}>")
        config.sipConfig.proxies = proxies
    if line.auth_username:
        credentials = pj.AuthCredInfoVector()
        credentials.append(pj.AuthCredInfo("digest", line.auth_realm, line.auth_username, 0, line.auth_password))
        config.sipConfig.authCreds = credentials
    # asked for in each call (RFC 4028): should we be gone, the trunk ends it when nobody refreshes it
    config.callConfig.timerSessExpiresSec = SESSION_EXPIRES_S
    config.natConfig.iceEnabled = False
    config.natConfig.sipOutboundUse = False
    transport = config.mediaConfig.transportConfig
    transport.boundAddress = line.media_address
    transport.publicAddress = line.media_public_address
    transport.port = line.rtp_port
    # RTCP takes the port above; lines share the range, so each begins somewhere else in it (at most 100 tries)
    transport.portRange = max(0, line.rtp_port_range - 2)
    transport.randomizePort = True
    return config
