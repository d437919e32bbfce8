"""The daemon for `twistd -ny chatd.tac`, with options from the environment (CHATD_PORT, ...)."""

from twisted.application.service import Application

from chatd.daemon.service import Options, makeService

options = Options()
options.parseOptions([])
application = Application("chatd")
makeService(options).setServiceParent(application)
