Feature: An inbox holds what was written to a slot or to the coordinator

  Every message has one place: it waits, or a prompt showed it, or someone read it. Reading takes a message
  away from the next task, looking does not. The coordinator has an inbox as well, for what slots write to it.
  Inboxes are bounded, and senders are told at once what would not arrive: a full inbox and a slot that is not
  there refuse.

  Scenario: Reading takes a message out of the inbox, looking leaves it there
    Given a pool of 1 slot
    When slot-0 writes "Done with the parser." to the coordinator
    Then the inbox of the coordinator is
      | from   | text                  | state   |
      | slot-0 | Done with the parser. | waiting |
    When a coordinator connects with the toolsets "messages"
    And it calls pool_read_messages with
      """
      {"slot_id": "coordinator"}
      """
    Then it is given
      | messages.0.content | "Done with the parser." |
      | messages.0.kind    | "message"               |
      | waiting            | 0                       |
    And the inbox of the coordinator is
      | from   | text                  | state |
      | slot-0 | Done with the parser. | read  |

  Scenario: What was read is not shown again
    Given a pool of 1 slot
    When the coordinator writes "Never mind." to slot-0
    And a coordinator connects with the toolsets "messages"
    And it calls pool_read_messages with
      """
      {"slot_id": "slot-0"}
      """
    And the coordinator runs A, which repeats its prompt
    Then A was shown no values

  Scenario Outline: A message needs a sender and a receiver that are there
    Given a pool of 1 slot
    When a coordinator connects with the toolsets "messages"
    And it calls pool_send_message with
      """
      {"from": "<from>", "to": "<to>", "content": "hello"}
      """
    Then it is told "[not_found] There is no slot <missing>."

    Examples:
      | from        | to     | missing |
      | coordinator | slot-7 | slot-7  |
      | slot-7      | slot-0 | slot-7  |
      | someone     | slot-0 | someone |

  Scenario: A message to all needs someone who gets it
    Given a pool of 1 slot
    When slot-0 writes "Is anybody there?" to everyone
    Then the coordinator is refused with wrong_state

  Scenario: The same key sends a message once
    Given a pool of 1 slot
    When a coordinator connects with the toolsets "messages"
    And it calls pool_send_message with
      """
      {"from": "coordinator", "to": "slot-0", "content": "hello", "idempotency_key": "k"}
      """
    And it calls pool_send_message with
      """
      {"from": "coordinator", "to": "slot-0", "content": "hello", "idempotency_key": "k"}
      """
    Then the inbox of slot-0 is
      | from        | text  | state   |
      | coordinator | hello | waiting |
    When it calls pool_send_message with
      """
      {"from": "coordinator", "to": "slot-0", "content": "bye", "idempotency_key": "k"}
      """
    Then it is told "[idempotency_conflict]"
