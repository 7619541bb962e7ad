Feature: A conversation never leaves its directory

  A model that has read files in one directory would act on those memories in another. So a conversation can
  only be continued where it began; anything else is refused before it costs anything.

  Scenario Outline: Continuing it elsewhere is refused
    Given a pool of 1 slot
    When the coordinator runs A, which answers "a"
    And the coordinator runs B, which answers "b", with
      | session     | <how> A   |
      | working dir | elsewhere |
    Then the coordinator is refused with invalid_argument

    Examples:
      | how    |
      | resume |
      | fork   |

  Scenario: Where it began it goes on
    Given a pool of 1 slot
    When the coordinator runs A, which answers "a", with
      | working dir | elsewhere |
    And the coordinator runs B, which recalls its conversation, with
      | session     | resume A  |
      | working dir | elsewhere |
    Then B remembers A

  Scenario: A slot's conversation of another directory is not continued
    Given a pool of 1 slot
    When the coordinator runs A, which answers "a", with
      | working dir | elsewhere |
    And the coordinator runs B, which recalls its conversation, with
      | session | slot |
    Then B remembers nothing
