"""The generated module of the gRPC service."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from google.protobuf import descriptor_pb2
from twisted.trial.unittest import SynchronousTestCase

from chatd.codecs import chat_pb2
from tests.doubles.folders import folder

ROOT = Path(chat_pb2.__file__).parents[2]


class Generated(SynchronousTestCase):
    """The generated module, compared with chat.proto."""

    def test_module_is_generated_from_the_proto_file(self) -> None:
        """Compiling chat.proto gives the same messages and methods."""
        compiled = os.path.join(folder(self), "chat.desc")
        subprocess.run(
            [
                *(sys.executable, "-m", "grpc_tools.protoc", f"-I{ROOT}"),
                *(f"--descriptor_set_out={compiled}", str(ROOT / "chatd/codecs/chat.proto")),
            ],
            check=True,
            timeout=60,
        )
        files = descriptor_pb2.FileDescriptorSet.FromString(Path(compiled).read_bytes())
        ours = descriptor_pb2.FileDescriptorProto.FromString(chat_pb2.DESCRIPTOR.serialized_pb)
        for message in files.file[0].message_type:
            for field in message.field:
                field.ClearField("json_name")
        self.assertEqual(list(files.file), [ours])

    def test_original_clients_are_compatible(self) -> None:
        """No package, the same numbers and types of fields; LogIn takes the request of LogOut."""
        calls = ("CreateAccount", "DeleteAccount", "LogIn", "LogOut")
        for name, fields in (
            ("ChatMessageRequest", ["thread_id", "message", "sender_id", "recipient_id"]),
            ("ChatMessageResponse", ["id"]),
            ("ChatMessage", ["id", "thread_id", "message", "sender_id", "recipient_id"]),
            ("ChatClient", ["recipient_id"]),
            *((f"{call}Request", ["client_id"]) for call in calls),
            *((f"{call}Response", ["id"]) for call in calls),
            ("WildCardRequest", ["client_id", "pattern"]),
            ("WildCardResponse", ["id"]),
        ):
            message = chat_pb2.DESCRIPTOR.message_types_by_name[name]
            self.assertEqual(message.full_name, name)
            self.assertEqual(
                [(field.name, field.number) for field in message.fields],
                [(field, number) for number, field in enumerate(fields, 1)],
            )
            for field in message.fields:
                number = field.name in ("id", "thread_id")
                self.assertEqual(
                    field.type, field.TYPE_UINT64 if number else field.TYPE_STRING, field.name
                )
        service = chat_pb2.DESCRIPTOR.services_by_name["ChatService"]
        self.assertEqual(service.full_name, "ChatService")
        self.assertEqual(
            {
                method.name: (method.input_type.name, method.output_type.name)
                for method in service.methods
            },
            {
                "SendMessage": ("ChatMessageRequest", "ChatMessageResponse"),
                "ReceiveMessages": ("ChatClient", "ChatMessage"),
                "CreateAccount": ("CreateAccountRequest", "CreateAccountResponse"),
                "DeleteAccount": ("DeleteAccountRequest", "DeleteAccountResponse"),
                "WildCard": ("WildCardRequest", "WildCardResponse"),
                "LogIn": ("LogOutRequest", "LogInResponse"),
                "LogOut": ("LogOutRequest", "LogOutResponse"),
            },
        )
