"""Which test reads what in the documents.

`CLAIMS` has the strong sentences, those with *always*, *never*, *at most* or *within*, by some of
their words, each with the test that fails if the sentence is not true. `TABLES` and `EXAMPLES` have
the tables and the blocks of code by their headings, each with the test that compares it with the
program. `test_readers` finds what has no test, and tests that do not exist.

A sentence is better without such a word if it promises nothing.
"""

from __future__ import annotations

from collections.abc import Mapping

_IDS = "realm.test_times.Times.test_times_and_ids_of_entries_never_decrease"
_SINCE = "realm.test_times.Times.test_nothing_is_created_at_the_same_time_as_something_else"
_KILL = "process.test_kill.Kill.test_offline_recipient_gets_every_acknowledged_message"
_LOBBY = "realm.test_room_operations.RoomOperations.test_members_of_a_deleted_room_are_notified"
_GUESSES = "auth.test_throttle.Throttling.test_gap_for_an_account_doubles_up_to_ten_seconds"
_COPY = "stores.sqlite.test_backup.Copies.test_copy_is_a_snapshot_while_appends_continue"
_EXISTING = "stores.sqlite.test_backup.Refusals.test_existing_path_is_refused"
_STOP = "daemon.test_service.Stopping.test_connections_that_do_not_close"
_LIMITS = "docs.test_limits.LimitTests.test_limits_of_the_daemon"
_CLASSIC_REFUSALS = "docs.test_refusals_of_classic.RefusalTests.test_every_refusal_is_in_the_table"
_V1_LIMITS = "docs.test_limits.LimitTests.test_limits_of_version_1"

CLAIMS: Mapping[str, Mapping[str, str]] = {
    "README.md": {
        "never from an argument": "docs.test_readers.PromiseTests.test_no_option_takes_a_password",
    },
    "docs/architecture.md": {
        "An acknowledged message is never lost": _KILL,
        "Acknowledgements are saved within a second": "realm.test_session.Acknowledging."
        "test_what_is_acknowledged_is_saved_within_a_second",
        "what has arrived is saved within 30 ms": "realm.test_session_fetching.Restarts."
        "test_entries_that_arrived_before_the_last_save_do_not_wait",
        "Identity is an id, never a name": _SINCE,
        "have ids that are never given twice": _SINCE,
        "Ids and times of entries never go back": _IDS,
        "Versions of documents, ids and times": "stores.sqlite.test_store.Restart."
        "test_newest_id_and_time_are_known_after_a_restart",
        "so its transport is never paused": "server.test_unframed.Queue."
        "test_unframed_connection_is_read_while_messages_wait",
    },
    "docs/client.md": {
        "A line is never a password": "client.cli.commands.test_accounts.ScriptTests."
        "test_passwd_without_a_new_password_ends_the_client",
        "for at most a minute": "client.cli.test_chat.ScriptTests."
        "test_end_of_input_waits_for_answers_only_until_a_timeout",
    },
    "docs/glossary.md": {
        "identifies an account, a room or an entry": _SINCE,
        "the room that always exists": _LOBBY,
    },
    "docs/library.md": {
        "within ten seconds": "client.library.test_client.CloseTests."
        "test_close_does_not_wait_long_for_a_silent_server",
        "at most 1,000 entries wait": "client.library.test_catching_up.CatchingUpTests."
        "test_entries_that_wait_are_bounded",
    },
    "docs/operations.md": {
        "then they are removed within ten minutes": "realm.test_deleted_rooms.Removing."
        "test_room_is_removed_after_a_day",
        "by at most 10 s for an account and 60 s for an address": _GUESSES,
        "saved at most once a day": "realm.test_resume_tokens.Bounds."
        "test_reconnecting_writes_at_most_once_a_day",
        "`--expires never`": "admin.commands.test_invite_tokens.InviteTokens."
        "test_token_expires_after_the_chosen_time",
        "at most 16,384 bytes": "protocols.admin.test_connection.Lines."
        "test_line_without_end_closes_the_connection",
        "exits with status 0 within 5 seconds": _STOP,
        "while the daemon runs, never `cp`": _COPY,
        "Ids and times of entries never go back": _IDS,
        "At most 10,000 can be banned at a time": "realm.test_permissions.Table."
        "test_outcomes_without_session",
        "at most ten refusals": "protocols.test_classic.Ordering."
        "test_ten_refusals_of_a_connection_are_logged",
        "starts another one on the port within a second": "protocols.grpc.test_port.Restarts."
        "test_server_is_started_again_within_a_second_and_calls_go_on",
        "are never logged": "protocols.test_classic.Ordering."
        "test_log_has_neither_texts_nor_passwords",
    },
    "docs/protocols/chat10.md": {
        "at most 2,048 bytes per message": "codecs.test_chat10.Encoding."
        "test_every_message_has_the_sender_and_all_text_is_sent",
        "at most 65,536 bytes": "protocols.test_chat10.Sending."
        "test_text_over_the_limit_is_dropped_in_both_framings",
        "The sender is always the registered account": "protocols.test_chat10.Sending."
        "test_sender_cannot_be_forged",
        "always precedes the end of a registered connection": "protocols.test_chat10.Closing."
        "test_disconnect_is_answered_and_closes_the_connection",
        "At most 1,000 messages of a bare client": "protocols.test_chat10.Sending."
        "test_client_without_framing_that_sends_too_much_is_disconnected",
    },
    "docs/protocols/classic.md": {
        "| always 0": "codecs.test_classic.Limits.test_other_version_is_refused_by_its_first_byte",
        "never before the RESPONSE to CREATE or LOGIN": "protocols.test_classic.Ordering."
        "test_response_to_a_login_precedes_every_message",
        "at most 256 characters": "realm.test_account_operations.AccountOperations."
        "test_a_long_pattern_is_refused",
        "at most 65,536 ASCII characters": _LIMITS,
        "at most 1024 characters": _CLASSIC_REFUSALS,
    },
    "docs/protocols/ops.md": {
        "The transport is never paused": "server.test_unframed.Queue."
        "test_unframed_connection_is_read_while_messages_wait",
        "What is sent at once has at most 69,632 bytes": "codecs.test_ops.Commands."
        "test_more_than_the_limit_at_once_is_refused_as_a_whole",
        "At most 1,000 commands may wait": _LIMITS,
    },
    "docs/protocols/v1.md": {
        "| always 1": "codecs.test_v1.Frames."
        "test_other_version_breaks_the_stream_at_its_first_byte",
        "always in lower case": "docs.test_readers.PromiseTests.test_logs_are_in_lower_case",
        "but never back": "client.library.test_client.EventTests."
        "test_entry_is_yielded_once_and_acknowledged_when_handled",
        "of a log never decrease": _IDS,
        "so a crash never revokes them": "process.test_kill_v1.Killed."
        "test_messages_are_read_exactly_once",
        "`#lobby` always exists": _LOBBY,
        "data of a frame from the server": _V1_LIMITS,
    },
    "docs/recipes/backup.md": {
        "lose at most a day": _COPY,
        "never with `cp`": _COPY,
    },
    "docs/recipes/proxy.md": {
        "is never silent": "protocols.v1.test_protocol.Flow."
        "test_silent_client_is_sent_a_ping_and_then_disconnected",
    },
    "docs/recipes/systemd.md": {
        "stops within five seconds": _STOP,
    },
    "docs/recipes/troubleshooting.md": {
        "the delay is at most 10 s": _GUESSES,
        "a backup never replaces a file": _EXISTING,
    },
    "docs/recipes/upgrade.md": {
        "with at most a minute": "client.library.test_reconnecting.ReconnectTests."
        "test_delays_between_attempts_grow",
    },
    "docs/tls.md": {
        "An account has at most 8": _LIMITS,
    },
}

_FILES = "docs.test_architecture.ArchitectureTests.test_every_named_file_exists"
_NAMED = "docs.test_text.TextTests.test_named_files_exist"
_MESSAGES = "docs.test_text.MessageTests.test_every_explained_message_is_in_the_source"
_CATALOGUES = "docs.test_catalogues."
_COMMANDS = "docs.test_commands.CommandTests."

TABLES: Mapping[str, Mapping[str, str]] = {
    "README.md": {
        "What to read next": "docs.test_links.LinkTests.test_every_relative_link_leads_to_a_file",
    },
    "bench/README.md": {
        "What is measured": _COMMANDS + "test_parts_of_the_benchmark_are_those_of_the_document",
        "Results": "bench.test_smoke.Smoke.test_row_shows_whether_its_target_was_reached",
    },
    "docs/architecture.md": {
        "Packages": "docs.test_architecture.ArchitectureTests."
        "test_package_table_is_the_one_of_the_layers",
        "To add X, touch Y": _FILES,
        "The simulation": _FILES,
    },
    "docs/client.md": {
        "Commands": "client.cli.commands.test_table.TableTests."
        "test_document_has_the_commands_and_the_requests",
        "In a pipe": "client.cli.test_exit_status.ExitStatusTests."
        "test_statuses_are_those_of_the_document",
        "For programs: `--json`": _CATALOGUES
        + "ClientTests.test_types_of_json_lines_are_those_of_the_messages",
    },
    "docs/comparison.md": {
        "In short": "docs.test_links.LinkTests.test_every_relative_link_leads_to_a_file",
    },
    "docs/glossary.md": {"Glossary": _COMMANDS + "test_terms_of_the_glossary_are_in_order"},
    "docs/library.md": {
        "Errors": _CATALOGUES + "ClientTests.test_errors_of_the_library_are_exported",
    },
    "docs/operations.md": {
        "Options": _CATALOGUES + "OptionTests.test_defaults_are_those_of_the_daemon",
        "Access tokens": "protocols.v1.test_access_tokens.Scoped."
        "test_every_scope_permits_what_the_document_says",
        "Administration": _CATALOGUES
        + "OptionTests.test_admin_commands_have_their_arguments_and_options",
        "Monitoring": "protocols.admin.test_connection.Requests."
        "test_stats_have_the_documented_names",
        "The admin socket": _CATALOGUES
        + "OptionTests.test_defaults_of_admin_requests_are_those_of_the_codec",
        "Limits": _LIMITS,
    },
    "docs/protocols/chat10.md": {
        "Framing": "docs.test_limits.LimitTests.test_numbers_of_chat10",
        "From the client": "docs.test_transcripts.TranscriptTests.test_example_of_chat10",
        "From the server": _CATALOGUES
        + "ProtocolTests.test_replies_of_chat10_are_those_of_the_codec",
    },
    "docs/protocols/classic.md": {
        "Frames": _CATALOGUES
        + "ProtocolTests.test_commands_of_the_classic_protocol_have_their_numbers",
        "Refusals": _CLASSIC_REFUSALS,
    },
    "docs/protocols/grpc.md": {
        "Calls": _CATALOGUES + "ProtocolTests.test_statuses_of_grpc_are_those_of_the_source",
    },
    "docs/protocols/ops.md": {
        "Commands and replies": "docs.test_transcripts.TranscriptTests.test_replies_of_ops",
    },
    "docs/protocols/overview.md": {
        "Protocols": _CATALOGUES + "ProtocolTests.test_first_bytes_are_those_that_are_recognised",
        "What each protocol can do": "docs.test_capabilities.CapabilityTests."
        "test_protocols_have_a_command_for_what_they_can_do",
        "What other users see": "process.test_together.Together."
        "test_lobby_is_shared_by_the_protocols_with_rooms",
    },
    "docs/protocols/v1.md": {
        "Frames": "docs.test_documents.Documents.test_annotated_frame_is_a_valid_message",
        "MessagePack": _CATALOGUES + "ProtocolTests.test_first_bytes_of_messagepack",
        "Limits and times": _V1_LIMITS,
        "What requests cost": "docs.test_limits.LimitTests.test_what_requests_cost",
        "Refusals": _CATALOGUES + "ProtocolTests.test_every_code_of_goodbye_is_named",
    },
    "docs/recipes/lan.md": {"1. Choose a certificate": _COMMANDS + "test_options_exist"},
    "docs/recipes/systemd.md": {
        "Running under systemd": _COMMANDS + "test_explained_settings_of_systemd_are_in_the_unit",
    },
    "docs/recipes/troubleshooting.md": {
        "The daemon does not start": _MESSAGES,
        "A user cannot connect": _MESSAGES,
        "A user cannot log in or create an account": _MESSAGES,
        "Messages do not arrive, or arrive late": _MESSAGES,
        "Administration": _MESSAGES,
    },
    "docs/tls.md": {
        "The daemon": _COMMANDS + "test_options_exist",
        "The clients": _CATALOGUES
        + "OptionTests.test_options_of_tls_are_those_of_clients_and_library",
    },
    "docs/security.md": {
        "Attacks and bounds": "docs.test_security.SecurityTests."
        "test_rows_have_a_test_and_existing_options",
    },
}

_OPTIONS = _COMMANDS + "test_options_exist"
_LOG = "docs.test_text.MessageTests.test_every_quoted_log_line_is_in_the_source"
_FAIL2BAN = "docs.test_fail2ban.FilterTests.test_examples_of_the_page_count"
_COMPILED = "examples.test_bots.DocumentTests.test_examples_compile"
_TRANSCRIPTS = "docs.test_transcripts.TranscriptTests."

EXAMPLES: Mapping[str, Mapping[str, str]] = {
    "README.md": {
        "Run": "docs.test_documents.Documents.test_readme_has_one_command_to_run_and_one_to_test",
        "Test": "docs.test_documents.Documents.test_readme_has_one_command_to_run_and_one_to_test",
        "Two machines": _OPTIONS,
        "Scripts": "client.cli.test_in_pipe.PipeTests."
        "test_message_waits_for_its_recipient_and_arrives_once",
        "Bots": _COMPILED,
    },
    "bench/README.md": {
        "Benchmark": _COMMANDS + "test_parts_of_the_benchmark_are_those_of_the_document",
    },
    "docs/architecture.md": {
        "The path of a message": _FILES,
        "The simulation": "docs.test_text.TextTests.test_modules_that_are_run_exist",
    },
    "docs/client.md": {
        "The client": _OPTIONS,
        "At a terminal": "client.cli.test_at_terminal.TerminalTests."
        "test_conversation_in_rooms_and_in_private",
        "In a pipe": "client.cli.test_in_pipe.PipeTests."
        "test_message_waits_for_its_recipient_and_arrives_once",
        "For programs: `--json`": _TRANSCRIPTS + "test_lines_of_json_are_objects",
    },
    "docs/library.md": {
        "The client as a library": _COMPILED,
        "Connecting": _COMPILED,
        "Events": _COMPILED,
        "Requests": _COMPILED,
    },
    "docs/operations.md": {
        "Deleted rooms": _OPTIONS,
        "Start": _OPTIONS,
        "Ports": "daemon.test_listeners.ListenerTests.test_invalid_endpoint_is_refused",
        "Administration": _OPTIONS,
        "Invitations for a class": _OPTIONS,
        "The admin socket": _TRANSCRIPTS + "test_lines_of_json_are_objects",
        "Log": _LOG,
    },
    "docs/protocols/chat10.md": {"Example": _TRANSCRIPTS + "test_example_of_chat10"},
    "docs/protocols/grpc.md": {
        "gRPC": _OPTIONS,
        "Example": _CATALOGUES + "ProtocolTests.test_calls_of_grpc_are_those_of_the_service",
    },
    "docs/protocols/ops.md": {
        "ops": _TRANSCRIPTS + "test_replies_of_ops",
        "Example": _TRANSCRIPTS + "test_example_of_ops",
    },
    "docs/protocols/v1.md": {
        "Frames": "docs.test_documents.Documents.test_annotated_frame_is_a_valid_message",
        "A session": _TRANSCRIPTS + "test_session_of_version_1",
    },
    "docs/recipes/backup.md": {
        "Every night, by cron": _OPTIONS,
        "Restore drill": _OPTIONS,
        "Restore": "process.test_stores.Stores."
        "test_backup_beside_the_log_of_a_killed_daemon_is_refused",
    },
    "docs/recipes/fail2ban.md": {
        "Banning guessers with fail2ban": _FAIL2BAN,
        "The filter": _FAIL2BAN,
        "The jail": _NAMED,
        "Banning in the daemon": _OPTIONS,
        "Try it": _NAMED,
    },
    "docs/recipes/lan.md": {
        "1. Choose a certificate": "process.test_tls.Clients."
        "test_certificate_is_verified_by_issuer_or_pin",
        "2. Start the daemon": _OPTIONS,
        "3. Invite the users": _OPTIONS,
        "4. Renew the certificate": _LOG,
    },
    "docs/recipes/proxy.md": {
        "The daemon": _OPTIONS,
        "nginx, forwarding the stream": _NAMED,
        "HAProxy, with TLS at the proxy": _NAMED,
        "What the daemon sees": _LOG,
    },
    "docs/recipes/systemd.md": {
        "Running under systemd": _COMMANDS + "test_environment_variables_exist",
    },
    "docs/recipes/upgrade.md": {
        "Roll back": "stores.sqlite.test_file.Opening.test_newer_schema_is_refused",
        "Move to another machine": "client.cli.test_at_terminal.TerminalTests."
        "test_messages_sent_while_the_daemon_is_down_arrive_once",
    },
    "docs/tls.md": {
        "The daemon": _OPTIONS,
        "The clients": "process.test_tls.Clients.test_unverified_certificate_is_an_error",
        "Login by certificate": _OPTIONS,
    },
}
