import 'dart:async';
import 'dart:convert';

/// One event of a `text/event-stream`.
final class ServerEvent {
  /// An event.
  const ServerEvent(this.type, this.data, this.id);

  /// Its type; `message` if none was given.
  final String type;

  /// Its data, lines joined by line feeds.
  final String data;

  /// The last id that was given up to here; empty if none was.
  final String id;
}

/// Reads a `text/event-stream` by the rules of the HTML standard (section 9.2.6): all three line ends, also cut between
/// two pieces; a byte order mark; comments; several data lines. An event that the end cuts is dropped.
final class EventStreamDecoder {
  final List<String> _data = [];
  String _type = '';
  String _id = '';
  Duration? _retry;

  /// How long the server asks to wait before a new connection.
  Duration? get retry => _retry;

  /// More than any event of the server, and little enough to hold.
  static const maxLineLength = 4 * 1024 * 1024;

  /// The events in [bytes].
  Stream<ServerEvent> bind(Stream<List<int>> bytes) async* {
    await for (final line in _lines(bytes)) {
      final event = _line(line);
      if (event != null) yield event;
    }
  }

  Stream<String> _lines(Stream<List<int>> bytes) async* {
    var rest = StringBuffer();
    var afterCarriageReturn = false;
    var first = true;
    await for (var text in const Utf8Decoder(allowMalformed: true).bind(bytes)) {
      if (text.isEmpty) continue;
      // The decoder drops the mark only where it is alone at the very beginning; here it is certain.
      if (first && text.startsWith('\uFEFF')) text = text.substring(1);
      first = false;
      var start = 0;
      for (var at = 0; at < text.length; at++) {
        final unit = text.codeUnitAt(at);
        if (unit == 0x0A && afterCarriageReturn) {
          afterCarriageReturn = false;
          start = at + 1;
          continue;
        }
        afterCarriageReturn = unit == 0x0D;
        if (unit == 0x0A || unit == 0x0D) {
          rest.write(text.substring(start, at));
          yield rest.toString();
          rest = StringBuffer();
          start = at + 1;
        }
      }
      rest.write(text.substring(start));
      if (rest.length > maxLineLength) throw const FormatException('A line of the event stream is too long.');
    }
  }

  ServerEvent? _line(String line) {
    if (line.isEmpty) return _dispatch();
    final colon = line.indexOf(':');
    if (colon == 0) return null;
    final field = colon < 0 ? line : line.substring(0, colon);
    var value = colon < 0 ? '' : line.substring(colon + 1);
    if (value.startsWith(' ')) value = value.substring(1);
    switch (field) {
      case 'event':
        _type = value;
      case 'data':
        _data.add(value);
      case 'id' when !value.contains('\u0000'):
        _id = value;
      case 'retry' when RegExp(r'^\d{1,9}$').hasMatch(value):
        _retry = Duration(milliseconds: int.parse(value));
    }
    return null;
  }

  ServerEvent? _dispatch() {
    final event = _data.isEmpty
        ? null
        : ServerEvent(_type.isEmpty ? 'message' : _type, _data.join('\n'), _id);
    _data.clear();
    _type = '';
    return event;
  }
}
