import 'dart:convert';

import 'digest.dart';

/// Decodes JSON where there are no isolates.
Future<Object?> decodeJson(List<int> bytes) async => json.decode(utf8.decode(bytes));

/// SHA-256 in hex where there are no isolates.
Future<String> sha256Hex(List<int> bytes) async => hexOf(sha256(bytes));
