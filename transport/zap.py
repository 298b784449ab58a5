"""Who is let in under CURVE: ZeroMQ's authentication protocol, answered by the process that listens.

The rule: no thread and no process decides for another one. Each process of the daemon that listens on TCP asks the
directory of the admitted itself, from the loop in which it does everything else, so incubator and lockers cannot
differ. A key that was taken away is refused at its next connection; who is inside stays.

The decision is ``zmq.auth``'s own ``Authenticator``; here it is only told whose key it is. What ZeroMQ calls the user
id of a connection, fixed at its handshake, is the name of the key as ``keys.Admitted`` says it.

Source: RFC 27/ZAP (https://rfc.zeromq.org/spec/27/), RFC 25/ZMTP-CURVE.
"""

from __future__ import annotations

import logging

import zmq
from zmq.auth.base import Authenticator

from .keys import OVERHEAD, Admitted, DaemonKeys
from .wire import MAX_FRAME

QUESTIONS = 16  # newcomers who are answered at once


class Doorkeeper(Authenticator):
    """Answers, in its process, for every ROUTER to which ``guard`` was applied.

    It must be there before such a socket listens: ZeroMQ asks nobody, and lets everybody in, if there is none.

    Args:
        context: the process's own.
        keys: the daemon's, and where those of the admitted are.

    Raises:
        InvalidSetting: the directory of the admitted cannot be used.
    """

    def __init__(self, context: zmq.Context[zmq.Socket[bytes]], keys: DaemonKeys) -> None:
        super().__init__(context, log=logging.getLogger("holdfast"))
        self._keys = keys
        self.admitted = Admitted(keys.clients)
        self.refused = ""  # the address that was refused last; "": none was
        self._who = ""  # the name of the key that was asked for last
        self._address = ""  # from which it comes
        self.configure_curve_callback(credentials_provider=self)
        self.start()

    def guard(self, router: zmq.Socket[bytes]) -> None:
        """Let only the admitted in at ``router``, which does not listen yet."""
        router.setsockopt(zmq.CURVE_SERVER, 1)
        router.setsockopt(zmq.CURVE_SECRETKEY, self._keys.own.secret)
        router.setsockopt(zmq.MAXMSGSIZE, MAX_FRAME + OVERHEAD)

    def answer_some(self) -> None:
        """Answer what is asked, without waiting, and at most ``QUESTIONS``: a crowd must leave others their turn."""
        for _ in range(QUESTIONS):
            try:
                question = self.zap_socket.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                return
            self._finish(question)

    def _finish(self, question: list[bytes]) -> None:
        """Run the base class's answer, which could wait for something else, and never does with what we give it."""
        self._address = question[3].decode(errors="replace") if len(question) > 3 else ""
        answering = self.handle_zap_message(question)
        try:
            answering.send(None)
        except StopIteration:
            return
        answering.close()
        raise AssertionError("the answer to a newcomer waits for something")

    def callback(self, domain: str, key: bytes) -> bool:
        """Is ``key`` (in Z85) admitted?"""
        self._who = self.admitted.who(key)
        if not self._who:
            self.refused = self._address
        return bool(self._who)

    def curve_user_id(self, client_public_key: bytes) -> str:
        """The name that goes with the connection from now on; asked for right after ``callback`` said yes."""
        return self._who
