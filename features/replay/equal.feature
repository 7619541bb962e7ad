Feature: A replay gives what the live pool shows

  Live views and replays are the same calculation on the same events, so they cannot disagree: whoever folds
  the log from its beginning gets the pool's present state, to the last microdollar. The log's chain of hashes
  shows that nothing in it was changed, and other processes come to the same result.

  Scenario: After work of all kinds
    Given a pool of 2 slots with
      | budget | $1 |
    When the coordinator submits
      | task | which                                  | tags |
      | A    | answers "a" and uses 1000 and 10 tokens | x    |
      | B    | is refused with status 404             |      |
      | C    | loses its process                      |      |
    Then A is completed
    And B and C are failed
    And a replay gives what the pool shows

  Scenario: While work goes on
    Given a pool of 2 slots with
      | budget | $1 |
    When the coordinator submits
      | task | which                      | slot   |
      | A    | works until it is released | slot-0 |
      | B    | answers "b"                | slot-0 |
    And the coordinator configures slot-1 with
      | name | Ada |
    Then A is running
    And a replay gives what the pool shows
    When the coordinator cancels A
    Then B is completed
    And a replay gives what the pool shows

  @cli
  Scenario: In another process, and after another owner
    Given a pool of 1 slot with
      | log | file |
    When the coordinator runs A, which answers with 30000 characters
    Then the log adds up
    When the pool is stopped and started again
    And the coordinator runs B, which is refused with status 404
    Then the log adds up
    And a replay gives what the pool shows
