"""What the client prints: plain lines for people, JSON lines for programs, and the wording of events."""
