Feature: A rejected task runs again and is told why

  A rejection says what is wrong. The task then runs again in a fresh conversation, whatever conversation it
  asked for, and its prompt shows the original together with every rejected result and the feedback on it.
  Nothing of that is forgotten on record either. The last rejection that max_rejections allows ends the task:
  with one, the first rejection is the end of it.

  @real @cli
  Scenario: The next attempt is told of every rejection
    Given a pool of 1 slot
    When the coordinator submits for review A, which repeats its prompt
    Then A is pending_review
    When the coordinator rejects A, saying "too short"
    Then the last attempt of A was told "too short"
    When the coordinator rejects A, saying "too long"
    Then the last attempt of A was told "too short"
    And the last attempt of A was told "too long"

  Scenario: A task may fail for its rejections
    Given a pool of 1 slot
    When the coordinator submits for review A, which answers "a draft", with
      | max rejections | 2 |
    Then A is pending_review
    When the coordinator rejects A, saying "too short"
    Then A is pending_review
    When the coordinator rejects A, saying "too long"
    Then A fails for good with review_rejected
    And the attempts are
      | task | attempt | end       |
      | A    | 1       | succeeded |
      | A    | 2       | succeeded |

  Scenario: One rejection may be the end
    Given a pool of 1 slot
    When the coordinator submits for review A, which answers "a draft", with
      | max rejections | 1 |
    Then A is pending_review
    When the coordinator rejects A, saying "no"
    Then A fails for good with review_rejected

  Scenario: A rejected task leaves the conversation that it asked for
    Given a pool of 1 slot
    When the coordinator submits for review A, which answers "a draft", with
      | session | slot |
    Then A is pending_review
    When the coordinator rejects A, saying "too short"
    Then A is pending_review
    And the attempts are
      | task | attempt | conversation |
      | A    | 1       | 1            |
      | A    | 2       | 2            |

  Scenario: A rejection without a reason is refused
    Given a pool of 1 slot
    When the coordinator submits for review A, which answers "a draft"
    Then A is pending_review
    When the coordinator rejects A, saying " "
    Then the coordinator is refused with invalid_argument
    And A is pending_review
