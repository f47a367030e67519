# Claims about vector_tests itself: a checker that agrees with everything checks nothing.
#   cmake -DPROGRAM=... -DVECTORS=... -DSCRATCH=... -P program_test.cmake

# expect(EXIT code SAYS regex... ARGUMENTS argument...): what the program does with the scratch folder.
function(expect claim)
    cmake_parse_arguments(arg "" "EXIT;FOLDER" "SAYS;ARGUMENTS" ${ARGN})
    if(NOT arg_FOLDER)
        set(arg_FOLDER ${SCRATCH})
    endif()
    execute_process(COMMAND ${CMAKE_COMMAND} -E env SLUICE_VECTORS=${arg_FOLDER} ${PROGRAM} ${arg_ARGUMENTS}
        RESULT_VARIABLE exit OUTPUT_VARIABLE said ERROR_VARIABLE said)
    if(NOT exit EQUAL arg_EXIT)
        message(SEND_ERROR "${claim}: exit ${exit} instead of ${arg_EXIT}, saying\n${said}")
    endif()
    foreach(pattern IN LISTS arg_SAYS)
        if(NOT said MATCHES "${pattern}")
            message(SEND_ERROR "${claim}: does not say '${pattern}', but\n${said}")
        endif()
    endforeach()
endfunction()

function(fresh_folder)
    file(REMOVE_RECURSE ${SCRATCH})
    file(MAKE_DIRECTORY ${SCRATCH})
    file(COPY ${VECTORS}/varint.jsonl ${VECTORS}/errors.jsonl ${VECTORS}/messages.jsonl DESTINATION ${SCRATCH})
endfunction()

fresh_folder()
expect("counts what it checked" ARGUMENTS varint EXIT 0 SAYS "varint: 210 checked")
expect("names missing files and goes on" EXIT 0 SAYS "backoff: missing, skipped" "varint: 210 checked")
expect("a missing file alone is no error" ARGUMENTS backoff EXIT 0 SAYS "backoff: missing, skipped")
expect("counts messages by API" ARGUMENTS messages EXIT 0 SAYS "Metadata 168 checked")
expect("knows its arguments" ARGUMENTS varints EXIT 2 SAYS "usage")
expect("a missing folder is an error" FOLDER ${SCRATCH}/none EXIT 1 SAYS "error: there is no folder")
expect("a missing folder is an error for one file too" FOLDER ${SCRATCH}/none ARGUMENTS varint EXIT 1 SAYS "error:")

file(WRITE ${SCRATCH}/novel.jsonl "{}\n")
expect("an unknown file is an error" EXIT 1 SAYS "error: unknown file .*novel.jsonl" "varint: 210 checked")
expect("an unknown file is an error of the folder" ARGUMENTS folder EXIT 1 SAYS "novel.jsonl")
expect("an unknown file is no error of another one" ARGUMENTS varint EXIT 0)

file(REMOVE_RECURSE ${SCRATCH})
file(MAKE_DIRECTORY ${SCRATCH})
expect("a folder without vectors is an error" EXIT 1 SAYS "error: no vector file")

fresh_folder()
file(WRITE ${SCRATCH}/varint.jsonl "\n")
expect("a file in which nothing is checked is an error" ARGUMENTS varint EXIT 1 SAYS "varint: 0 checked" "error")

set(good [[{"value":1,"varlong":"02","varint":"02","unsigned_varint_of_int32_bits":"01"}]])
set(wrong [[{"value":2,"varlong":"05","varint":"04","unsigned_varint_of_int32_bits":"02"}]])
file(WRITE ${SCRATCH}/varint.jsonl "${good}\n${wrong}\n")
expect("a mismatch is shown with its line" ARGUMENTS varint EXIT 1
    SAYS "varint.jsonl:2: varlong" "expected 05" "came     04" "varint: 2 checked")
file(WRITE ${SCRATCH}/varint.jsonl "${good}\n{\"value\":\n")
expect("a line that is not JSON is a mismatch" ARGUMENTS varint EXIT 1 SAYS "varint.jsonl:2: not JSON")
file(WRITE ${SCRATCH}/varint.jsonl "{\"value\":1}\n")
expect("a vector without its members is a mismatch" ARGUMENTS varint EXIT 1 SAYS "varint.jsonl:1: .*varlong")

# One message with another body, one with a field that it does not have, one of an API that nobody knows.
file(STRINGS ${VECTORS}/messages.jsonl lines REGEX "\"InitProducerId-request-v0-0\"")
string(REGEX REPLACE "\"transactionTimeoutMs\": [0-9]+" "\"transactionTimeoutMs\": 77" other_value "${lines}")
string(REPLACE "\"transactionTimeoutMs\"" "\"surprise\": 1, \"transactionTimeoutMs\"" other_field "${lines}")
string(REPLACE "\"InitProducerId\"" "\"Teleport\"" other_api "${lines}")
file(WRITE ${SCRATCH}/messages.jsonl "${lines}\n${other_value}\n${other_field}\n${other_api}\n")
expect("messages are compared byte by byte" ARGUMENTS messages EXIT 1
    SAYS "messages.jsonl:2: encoded" "messages.jsonl:3: .*unknown members" "Teleport not yet" "InitProducerId 3 checked")
file(REMOVE_RECURSE ${SCRATCH})
