"""A period played through on the real timetable with made-up people; never touches the data of a node."""
