import 'dart:convert';
import 'dart:isolate';

import 'digest.dart';

/// Above this size the work takes longer than a frame on a slow phone, and an isolate is worth its start.
const int _isolateAbove = 256 * 1024;

/// Decodes JSON, a large one off the calling isolate.
Future<Object?> decodeJson(List<int> bytes) async =>
    bytes.length > _isolateAbove ? Isolate.run(() => _decode(bytes)) : _decode(bytes);

/// SHA-256 in hex, of much off the calling isolate.
Future<String> sha256Hex(List<int> bytes) async =>
    bytes.length > _isolateAbove ? Isolate.run(() => hexOf(sha256(bytes))) : hexOf(sha256(bytes));

Object? _decode(List<int> bytes) => json.decode(utf8.decode(bytes));
