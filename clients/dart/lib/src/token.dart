import 'dart:async';

import 'exceptions.dart';

/// What opens the server: an API key, or a token that an app's own backend hands out.
final class LaminaToken {
  /// A token, and until when it is good if that is known.
  const LaminaToken(this.value, {this.expiresAt});

  /// What follows `Bearer `.
  final String value;

  /// When it ends; null for never.
  final DateTime? expiresAt;

  @override
  String toString() => 'LaminaToken(…)';
}

/// Gives a fresh token: called at the first request, when a token is about to end, and after a 401, once for
/// all calls that wait for it.
typedef TokenProvider = FutureOr<LaminaToken> Function();

/// Keeps one token for all calls, and has it renewed once for all of them.
final class TokenKeeper {
  /// Asks [_provider]; null where the server wants no token.
  TokenKeeper(this._provider, this._limit, {DateTime Function()? now}) : _now = now ?? DateTime.now;

  final TokenProvider? _provider;
  final Duration _limit;
  final DateTime Function() _now;
  LaminaToken? _token;
  Future<LaminaToken>? _pending;

  static final _visible = RegExp(r'^[\x21-\x7E]+$');

  /// A token that ends within this time is renewed before it is used: it would end on its way.
  static const _margin = Duration(seconds: 30);

  /// The token to send now; null where none is wanted.
  Future<LaminaToken?> current() async {
    final provider = _provider;
    if (provider == null) return null;
    final token = _token;
    if (token != null && !_ends(token)) return token;
    return _pending ??= _renew(provider);
  }

  /// Forgets [refused], so that [current] asks for another. A token that replaced it meanwhile stays.
  void refuse(LaminaToken refused) {
    if (identical(_token, refused)) _token = null;
  }

  bool _ends(LaminaToken token) {
    final end = token.expiresAt;
    return end != null && _now().add(_margin).isAfter(end);
  }

  Future<LaminaToken> _renew(TokenProvider provider) async {
    try {
      final token = await Future.sync(provider).timeout(_limit);
      // Anything else is no header, and what is wrong with it would be told as the server's.
      if (!_visible.hasMatch(token.value)) {
        throw const FormatException('A token has visible ASCII characters, and no spaces or line ends.');
      }
      return _token = token;
    } on TimeoutException {
      throw const LaminaTimeoutException('The TokenProvider gave no token in time.');
    } on LaminaException {
      rethrow;
    } on Object catch (error) {
      throw TokenException(error);
    } finally {
      _pending = null;
    }
  }
}
